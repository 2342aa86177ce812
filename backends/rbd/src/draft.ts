import { randomBytes } from 'node:crypto'
import { MullionError } from 'mullion'
import type { Opened, Place } from './calls.ts'
import { FEATURE_BITS } from './config.ts'
import type { Session } from './connection.ts'
import { failedWith, RbdError } from './errors.ts'
import { SNAPSHOT } from './location.ts'
import type { Tools } from './tools.ts'

/** An image while it is written: under a name of its own that no key has, open until it is published. */
export interface Draft {
  readonly session: Session
  readonly key: string
  readonly name: string
  readonly opened: Opened
  /** Whether it may have got its final name already. */
  renaming: boolean
}

const NAME = /^\.(.+)\.([0-9a-z]{1,11})-[0-9a-f]{16}\.part$/

export function draftName(key: string, now: number): string {
  return `.${key}.${Math.trunc(now).toString(36)}-${randomBytes(8).toString('hex')}.part`
}

export function parseDraftName(name: string): { readonly key: string; readonly begun: number } | undefined {
  const [, key, begun] = NAME.exec(name) ?? []
  return key === undefined || begun === undefined ? undefined : { key, begun: Number.parseInt(begun, 36) }
}

export async function createDraft(tools: Tools, session: Session, key: string, size: number): Promise<Draft> {
  const { settings, connection, env } = tools
  const name = draftName(key, env.now())
  await session.call('create', {
    ...connection.place,
    image: name,
    size,
    order: Math.log2(settings.objectSize),
    features: settings.features?.reduce((bits, feature) => bits | FEATURE_BITS[feature], 0),
  })
  try {
    const opened = await session.call('open', { ...connection.place, image: name, watch: true })
    return { session, key, name, opened, renaming: false }
  } catch (error) {
    await removeDraft(session, connection.place, { key, name }).catch((second: unknown) => {
      tools.leftovers.add({ key, name }, second)
    })
    throw error
  }
}

/** Removes it, now or later. */
export async function discard(tools: Tools, { session, key, name, opened, renaming }: Draft): Promise<void> {
  const left = { key, name, ...(renaming && { id: opened.id }) }
  try {
    await session.call('close', { handle: opened.handle })
    await removeDraft(session, tools.connection.place, left)
  } catch (error) {
    tools.leftovers.add(left, error)
  }
}

export interface Left {
  readonly key: string
  readonly name: string
  /** Of the image, when it may have got its final name. */
  readonly id?: string | undefined
}

/**
 * Removes what an upload left. A rename that broke in the middle shows an image under both names (librbd,
 * operation/RenameRequest.cc), and one whose answer was lost may have succeeded: hence the id. Without that nobody
 * knows whether the image was published, and one that has its key is kept: `published`.
 */
export async function removeDraft(
  session: Session,
  place: Place,
  { key, name, id }: Left,
): Promise<'removed' | 'published'> {
  const draft = await idOf(session, place, name)
  const known = draft ?? id
  const hasKey = async (): Promise<boolean> => known !== undefined && (await idOf(session, place, key)) === known
  if (id === undefined) {
    if (draft !== undefined && !(await purge(session, { ...place, image: name, id: draft, keep: hasKey }))) {
      return 'published'
    }
  } else {
    const underKey = await hasKey()
    if (draft !== undefined) {
      await purge(session, { ...place, image: name, id: draft, alias: underKey ? key : undefined })
    } else if (underKey) await purge(session, { ...place, image: key, id })
    await unlist(session, place, key, id)
  }
  // what a removal or creation left that was interrupted: entries that point to no image
  await session.call('remove', { ...place, image: name }).catch(ifMissing)
  return 'removed'
}

/** A rename that broke behind its second step has left the entry `key` in the directory, which keeps others from the key. */
async function unlist(session: Session, place: Place, key: string, id: string): Promise<void> {
  const { images } = await session.call('list', place)
  if (!images.some((listed) => listed.name === key && listed.id === id)) return
  if ((await idOf(session, place, key)) !== undefined) return
  await session.call('remove', { ...place, image: key }).catch(ifMissing) // finds the id in the directory
}

interface Doomed extends Place {
  readonly image: string
  readonly id: string
  /** The other name that a broken rename gave it. */
  readonly alias?: string | undefined
  /** Asked when nobody else has it open, so that no writer gives it its name after the answer. */
  readonly keep?: () => Promise<boolean>
}

/** Answers false when it is to be kept. */
async function purge(session: Session, { image, id, alias, keep, ...place }: Doomed): Promise<boolean> {
  const opened = await session.call('open', { ...place, image, watch: true }).catch(ifMissing)
  if (!opened) return true
  const { handle } = opened
  try {
    if (opened.id !== id) return true
    const { snapshot, watchers } = await session.call('dependents', { handle, snapshot: SNAPSHOT })
    if (watchers > 1) throw openElsewhere(image)
    if (await keep?.()) return false
    if (alias !== undefined) await session.call('unname', { ...place, image: alias })
    if (snapshot) {
      await session.call('unprotect', { handle, snapshot: SNAPSHOT })
      await session.call('dropSnapshot', { handle, snapshot: SNAPSHOT })
    }
    await session.call('resize', { handle, size: 0 }) // gives the room back also where the rest has to wait
  } finally {
    await session.call('close', { handle })
  }
  await session.call('remove', { ...place, image }).catch(ifMissing)
  return true
}

/** Somebody writes it, or has died less than half a minute ago. */
function openElsewhere(image: string): MullionError<'in_use'> {
  return new MullionError('in_use', `rbd store: ${image} is open elsewhere`, { details: { location: image } })
}

/** Undefined when there is no such image. */
export async function idOf(session: Session, place: Place, image: string): Promise<string | undefined> {
  const opened = await session.call('open', { ...place, image, watch: false }).catch(ifMissing)
  if (!opened) return undefined
  await session.call('close', { handle: opened.handle })
  return opened.id
}

function ifMissing(error: unknown): undefined {
  if (error instanceof RbdError && failedWith(error, 'ENOENT')) return undefined
  throw error
}
