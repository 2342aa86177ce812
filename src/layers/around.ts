import { release } from '../bytes.ts'
import type { ErrorCode } from '../errors.ts'
import type { AnyStore, Layer, StoreInfo } from '../plugin.ts'
import type { ByteStream, Listed, ReadResult } from '../store.ts'
import { guardBody } from './body.ts'

export interface Call {
  readonly op: 'read' | 'stat' | 'write' | 'copyFrom' | 'remove' | 'setAcls' | 'list'
  /** The name of the store in `createStores`. */
  readonly store: string
  readonly plugin: string
  /** Of a write or a copy. */
  readonly key: string | undefined
  /** Of other calls but a listing: the location, redacted. */
  readonly location: string | undefined
  readonly signal: AbortSignal
  /** Bytes that went through so far; stays 0 unless the layer asked for `counted`. */
  readonly bytes: number
  /** The code of what the call threw. */
  classify(error: unknown): ErrorCode
}

/**
 * Runs around one call: `next` makes it, at most once. Of a read, `next()` is pending until the body ended, failed or
 * was let go, while the caller already reads it; what is thrown after that reaches nobody. A listing is one call, from
 * its first entry to its end, however long its reader takes.
 */
export type Around = <T>(call: Call, next: () => Promise<T>) => Promise<T>

export interface AroundOptions {
  /**
   * What of the bytes belongs to the call. `awaited` (default): a read lasts as long as its body. `counted`: and
   * `call.bytes` counts, in both directions. `ignored`: a read ends with its answer, a listing before its first entry, and
   * bodies pass untouched.
   */
  readonly transfer?: 'ignored' | 'awaited' | 'counted'
  /** Asked for each call; false passes it on as if the layer were not there. */
  readonly enabled?: () => boolean
}

/** A layer from one function around every call. Functions the store lacks stay absent. */
export function around(run: Around, { transfer = 'awaited', enabled = always }: AroundOptions = {}): Layer {
  const count = transfer === 'counted'
  return (next, about) => {
    const simple = <T>(op: Call['op'], of: Of, signal: AbortSignal, make: () => Promise<T>): Promise<T> =>
      enabled() ? run(callOf(about, op, signal, of), make) : make()
    const write = next.write?.bind(next)
    const copyFrom = next.copyFrom?.bind(next)
    const remove = next.remove?.bind(next)
    const setAcls = next.setAcls?.bind(next)
    const list = next.list?.bind(next)
    const wrapped: Partial<AnyStore> = {
      read(at, options) {
        if (!enabled()) return next.read(at, options)
        const call = callOf(about, 'read', options.signal, { at })
        const open = (): Promise<ReadResult> => next.read(at, options)
        return transfer === 'ignored' ? run(call, open) : whileReading(run, call, open, count)
      },
      stat: (at, options) => simple('stat', { at }, options.signal, () => next.stat(at, options)),
      ...(remove && { remove: (at, options) => simple('remove', { at }, options.signal, () => remove(at, options)) }),
      ...(setAcls && {
        setAcls: (at, acls, options) => simple('setAcls', { at }, options.signal, () => setAcls(at, acls, options)),
      }),
      ...(copyFrom && {
        copyFrom: (key, origin, options) =>
          simple('copyFrom', { key }, options.signal, () => copyFrom(key, origin, options)),
      }),
      ...(list && {
        list(options) {
          if (!enabled()) return list(options)
          const call = callOf(about, 'list', options.signal, {})
          return whileListing(run, call, () => list(options), transfer !== 'ignored')
        },
      }),
      ...(write && {
        write(key, body, options) {
          if (!enabled()) return write(key, body, options)
          const call = callOf(about, 'write', options.signal, { key })
          return run(call, () => write(key, count ? counting(body, call) : body, options))
        },
      }),
    }
    return wrapped
  }
}

interface Of {
  readonly key?: string
  readonly at?: unknown
}

type Counted = { -readonly [K in keyof Call]: Call[K] }

function callOf(
  { id, plugin, describe, classify }: StoreInfo,
  op: Call['op'],
  signal: AbortSignal,
  { key, at }: Of,
): Counted {
  return {
    op,
    store: id,
    plugin,
    key,
    get location() {
      return at === undefined ? undefined : describe(at)
    },
    signal,
    bytes: 0,
    classify,
  }
}

/** The caller has its answer as soon as the body is there; `run` has its own when the body is gone. */
function whileReading(
  run: Around,
  call: Counted,
  open: () => Promise<ReadResult>,
  count: boolean,
): Promise<ReadResult> {
  return new Promise((resolve, reject) => {
    let waiting = true
    const transfer = async (): Promise<ReadResult> => {
      const result = await open()
      if (!waiting) {
        await release(result.body) // `run` gave up meanwhile
        return result
      }
      waiting = false
      return new Promise((ended, failed) => {
        const body = guardBody(result.body, {
          ...(count && { onChunk: (chunk) => add(call, chunk) }),
          onEnd: (failure) => (failure ? failed(failure.error) : ended(result)),
        })
        resolve({ body, size: result.size, etag: result.etag })
      })
    }
    const next = <T>(): Promise<T> => {
      const made = transfer()
      made.catch(() => {}) // `run` may not be waiting any more
      return made as Promise<T>
    }
    run<ReadResult>(call, next)
      .finally(() => {
        waiting = false
      })
      .then(resolve, reject)
  })
}

async function* whileListing(
  run: Around,
  call: Call,
  list: () => AsyncIterable<Listed<unknown>>,
  toItsEnd: boolean,
): AsyncGenerator<Listed<unknown>> {
  const begun = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()
  if (!toItsEnd) over.resolve()
  const next = <T>(): Promise<T> => {
    begun.resolve()
    return over.promise as Promise<T>
  }
  const running = run<void>(call, next)
  for (const each of [running, over.promise]) each.catch(() => {}) // `run` may not be waiting any more
  await Promise.race([begun.promise, running])
  try {
    yield* list()
  } catch (error) {
    over.reject(error)
    await running
    throw error
  } finally {
    over.resolve()
  }
  await running
}

function counting(body: ByteStream, call: Counted): ByteStream {
  return guardBody(body, { onChunk: (chunk) => add(call, chunk), onEnd() {} })
}

function add(call: Counted, chunk: Uint8Array): undefined {
  call.bytes += chunk.byteLength
}

function always(): boolean {
  return true
}
