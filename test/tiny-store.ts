import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type Capabilities, defineStore, type ErrorCode, MullionError, type Store, type StoreSpec } from 'mullion'

export type TinyStore = Store<string> & Required<Pick<Store<string>, 'write' | 'remove'>>

export interface TinyOptions {
  readonly scheme?: string
  readonly capabilities?: Partial<Capabilities>
  /** Functions instead of, or beside, the usual ones; `undefined` takes one away. */
  readonly with?: { readonly [F in keyof Store<string>]?: Store<string>[F] | undefined }
  readonly classify?: (error: unknown) => ErrorCode | undefined
}

export interface Tiny {
  readonly spec: StoreSpec<TinyStore>
  /** What the backend holds, unfinished objects included. */
  readonly objects: Map<string, Uint8Array>
  /** The functions called, in order. */
  readonly calls: string[]
}

/** Accepts every configuration. */
export const anyConfig: StandardSchemaV1<unknown, unknown> = {
  '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) },
}

/** A store that is not atomic: what a failed write leaves stays visible until somebody removes it. */
export function tiny({ scheme = 'tiny', capabilities = {}, with: own = {}, classify }: TinyOptions = {}): Tiny {
  const objects = new Map<string, Uint8Array>()
  const calls: string[] = []
  const counted = Object.entries({ ...usual(scheme, objects), ...own }).flatMap(([name, run]) => {
    if (typeof run !== 'function') return []
    const counting = (...given: readonly unknown[]): unknown => {
      if (name !== 'owns') calls.push(name)
      return (run as (...given: readonly unknown[]) => unknown)(...given)
    }
    return [[name, counting]]
  })
  const spec = defineStore({
    name: 'tiny',
    schemes: [scheme],
    config: anyConfig,
    location: {
      parse(uri) {
        const [, key] = uri.split('://')
        if (!key || key.includes('!')) throw new Error(`cannot parse ${uri}`)
        return key
      },
      format: (key: string) => `${scheme}://${key}`,
    },
    capabilities,
    ...(classify && { classify }),
    open: () => Object.fromEntries(counted) as unknown as TinyStore,
  })
  return { spec: spec({}), objects, calls }
}

/** What `tiny` does unless told otherwise. */
function usual(scheme: string, objects: Map<string, Uint8Array>): TinyStore {
  function find(key: string): Uint8Array {
    const bytes = objects.get(key)
    if (bytes) return bytes
    throw new MullionError('not_found', `tiny store: nothing at ${key}`, {
      details: { location: `${scheme}://${key}` },
    })
  }
  return {
    async read(key, { offset, length }) {
      const bytes = find(key)
      const part = bytes.slice(offset, length === undefined ? undefined : offset + length)
      return {
        body: (async function* () {
          if (part.byteLength > 0) yield part
        })(),
        size: bytes.byteLength,
      }
    },
    stat: async (key) => ({ size: find(key).byteLength }),
    async write(key, body, { announce }) {
      if (objects.has(key)) throw new MullionError('already_exists', `tiny store: ${key} exists`, { details: { key } })
      await announce(key)
      objects.set(key, new Uint8Array())
      for await (const chunk of body) objects.set(key, Buffer.concat([find(key), chunk]))
      return { at: key }
    },
    async remove(key) {
      find(key)
      objects.delete(key)
    },
  }
}

/** What the promise rejects with; fails when it does not. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw new Error(`expected a rejection, got ${JSON.stringify(value)}`)
}

/** A promise and the function that resolves it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

/** Never waits between attempts. */
export const atOnce = { pause: async (): Promise<void> => {} }
