import {
  type AnyStore,
  type ByteStream,
  isMullionError,
  type Layer,
  redactUri,
  type ReadOptions,
  type StoreInfo,
} from 'mullion'

const ABOUT: StoreInfo = {
  id: 'fast',
  plugin: 'fixture',
  capabilities: {
    range: true,
    atomicWrite: true,
    exclusiveWrite: true,
    needsSize: false,
    maxSize: Number.POSITIVE_INFINITY,
    concurrency: Number.POSITIVE_INFINITY,
  },
  classify: (error) => (isMullionError(error) ? error.code : 'internal'),
  describe: (at) => redactUri(String(at)),
}

/** The store behind a layer, as the core puts it together. */
export function behind(layer: Layer, next: AnyStore): AnyStore {
  return { ...next, ...layer(next, ABOUT) } as AnyStore
}

/** A store of one object; functions can be replaced or added. */
export function storeOf(body: () => ByteStream, changes: Partial<AnyStore> = {}): AnyStore {
  return { read: async () => ({ body: body(), size: undefined }), stat: async () => ({ size: 3 }), ...changes }
}

export async function* chunks(...sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (const size of sizes) yield new Uint8Array(size)
}

export function call(signal: AbortSignal = new AbortController().signal): ReadOptions {
  return { offset: 0, length: undefined, signal }
}

export function writeOptions(
  signal: AbortSignal = new AbortController().signal,
): Parameters<NonNullable<AnyStore['write']>>[2] {
  return { size: undefined, metadata: {}, signal, announce: async () => {}, alive() {} }
}

/** A body that says whether it was let go of; never read, it has nothing to say otherwise. */
export interface Released extends ByteStream {
  readonly released: boolean
  destroy(): void
}

export function releasable(inner: ByteStream = chunks(1, 1)): Released {
  let released = false
  return {
    get released() {
      return released
    },
    destroy() {
      released = true
    },
    [Symbol.asyncIterator]: () => inner[Symbol.asyncIterator](),
  }
}

/** Lets go of a body as the core does. */
export function destroy(body: ByteStream): void {
  if ('destroy' in body && typeof body.destroy === 'function') body.destroy()
  else throw new Error('the body cannot be destroyed')
}

export interface Deferred {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** A promise and its ends. */
export function deferred(): Deferred {
  let ends: Omit<Deferred, 'promise'> | undefined
  const promise = new Promise<void>((resolve, reject) => {
    ends = { resolve, reject }
  })
  if (!ends) throw new Error('the executor of a promise runs at once')
  return { promise, ...ends }
}

/** Lets promises that are ready run on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
