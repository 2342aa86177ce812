import { setImmediate } from 'node:timers/promises'
import type { Actor, Image } from 'mullion/images'
import { ApiError } from '../errors.ts'
import type { Operation, PropertyProtections } from './rules.ts'

/** The protections of one request; each name is asked about once. Without protections everything is allowed. */
export interface GuardedProperties {
  /** Throws 403 unless all of these may be created. */
  checkCreate(names: Iterable<string>): Promise<void>
  /**
   * The properties that a change sets. Throws 403 for one that may not be created, changed or deleted; writing the
   * value that is there is no change. What a purge would delete unseen stays, as one of those that are set.
   */
  checkChange(image: Image, set: Properties, purge: boolean): Promise<Properties>
  /** The image without the properties that may not be read. */
  readable(image: Image): Promise<Image>
  /** Whether all of these may be read. */
  mayRead(names: Iterable<string>): Promise<boolean>
}

export type Properties = ReadonlyMap<string, string | null>

/** A page of images has up to 128 thousand properties: others get their turn in between. */
const YIELD_EVERY = 256

/** As glance/api/v1/images.py applies them, to the answers of POST too. */
export function guardProperties(protections: PropertyProtections | undefined, actor: Actor): GuardedProperties {
  const decided = new Map<string, boolean | Promise<boolean>>()
  let looked = 0
  const may = (operation: Operation, name: string): boolean | Promise<boolean> => {
    if (!protections) return true
    const key = `${operation} ${name}`
    const decision = decided.get(key) ?? protections.may(operation, name, actor)
    decided.set(key, decision)
    return decision
  }

  async function checkCreate(names: Iterable<string>): Promise<void> {
    for (const name of names) if (!(await may('create', name))) throw isProtected(name)
  }

  async function checkUpdate(image: Image, set: Properties): Promise<void> {
    for (const [name, value] of set) {
      if (!image.properties.has(name)) continue
      const isSame = image.properties.get(name) === value
      if (!(await may('read', name)) || !(isSame || (await may('update', name)))) throw isProtected(name)
    }
  }

  async function checkPurge(image: Image, set: Properties): Promise<Properties> {
    const kept = new Map<string, string | null>()
    for (const [name, value] of image.properties) {
      if (set.has(name)) continue
      if (!(await may('read', name))) kept.set(name, value)
      else if (!(await may('delete', name))) throw isProtected(name)
    }
    return kept
  }

  return {
    checkCreate,
    async checkChange(image, set, purge) {
      await checkUpdate(image, set)
      await checkCreate([...set.keys()].filter((name) => !image.properties.has(name)))
      return purge ? new Map([...(await checkPurge(image, set)), ...set]) : set
    },
    async readable(image) {
      if (!protections) return image
      const properties = new Map<string, string | null>()
      for (const [name, value] of image.properties) {
        if (++looked % YIELD_EVERY === 0) await setImmediate()
        if (await may('read', name)) properties.set(name, value)
      }
      return { ...image, properties }
    },
    async mayRead(names) {
      for (const name of names) if (!(await may('read', name))) return false
      return true
    },
  }
}

function isProtected(name: string): ApiError {
  return new ApiError(403, `Property '${name}' is protected`)
}
