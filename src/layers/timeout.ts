import { type AbortScope, abortScope, orAborted, settledOrAborted } from '../abort.ts'
import { release } from '../bytes.ts'
import { MullionError } from '../errors.ts'
import type { AnyStore, Layer } from '../plugin.ts'
import type { ByteStream, Listed, ListOptions, ReadResult, WriteResult } from '../store.ts'
import { type GuardedBody, guardBody } from './body.ts'
import { type Clock, systemClock } from './clock.ts'
import { stepwise } from './stepwise.ts'

/** How long taking back an object may last that was committed after the write was given up. */
const UNDO_TIMEOUT_MS = 60_000

export interface TimeoutOptions {
  readonly ms: number
  readonly clock?: Clock
}

/**
 * Rejects `timeout` and aborts the call when the store does not answer within `ms`. Of a read that is the answer, then
 * the first chunk; of a write, asking for the first chunk, then the answer after the last. How long the bytes take in
 * between is not limited here: see `idleTimeoutMs` of `createStores`. A write rejects once the store has cleaned up.
 * Of a listing it is every entry, or what shows that one is looked for. A copy that the backend makes by itself may take
 * its time.
 */
export function timeout({ ms, clock = systemClock }: TimeoutOptions): Layer {
  if (!(ms > 0)) {
    throw new MullionError('invalid_argument', `timeout: ms must be positive, got ${ms}`, { details: { name: 'ms' } })
  }
  return (next, { id }) => {
    const start = (op: string, signal: AbortSignal): Limit => createLimit(`${id}: ${op}`, ms, clock, signal)
    const write = next.write?.bind(next)
    const remove = next.remove?.bind(next)
    const setAcls = next.setAcls?.bind(next)
    const list = next.list?.bind(next)
    const simple = async <T>(op: string, outer: AbortSignal, call: (signal: AbortSignal) => Promise<T>): Promise<T> => {
      const limit = start(op, outer)
      try {
        return await limit.answer(call(limit.signal))
      } finally {
        limit.end()
      }
    }
    const wrapped: Partial<AnyStore> = {
      read: (at, options) =>
        limitedRead(start('read', options.signal), (signal) => next.read(at, { ...options, signal })),
      stat: (at, options) => simple('stat', options.signal, (signal) => next.stat(at, { ...options, signal })),
      ...(remove && {
        remove: (at, options) => simple('remove', options.signal, (signal) => remove(at, { ...options, signal })),
      }),
      ...(setAcls && {
        setAcls: (at, acls, options) =>
          simple('setAcls', options.signal, (signal) => setAcls(at, acls, { ...options, signal })),
      }),
      ...(list && { list: (options) => limitedList(start('list', options.signal), list, options) }),
      ...(write && {
        async write(key, body, options) {
          const limit = start('write', options.signal)
          limit.resume() // before the call: it may ask for the first chunk at once
          const writing = write(key, outsideTransfer(limit, body), { ...options, signal: limit.signal })
          const undo = ({ at }: WriteResult<unknown>): void => {
            remove?.(at, { signal: AbortSignal.timeout(UNDO_TIMEOUT_MS) }).catch(() => {})
          }
          try {
            return await limit.settle(writing, undo)
          } finally {
            limit.end()
          }
        },
      }),
    }
    return wrapped
  }
}

interface Limit {
  readonly signal: AbortSignal
  /** Settles as `work` does, or rejects when the time is over; `late` gets what it resolves with after that. */
  answer<T>(work: Promise<T>, late?: (value: T) => void): Promise<T>
  /** Lets `work` clean up first when the time is over; `late` gets what it resolves with after it was given up. */
  settle<T>(work: Promise<T>, late: (value: T) => void): Promise<T>
  suspend(): void
  resume(): void
  end(): void
}

function createLimit(what: string, ms: number, clock: Clock, outer: AbortSignal): Limit {
  const scope: AbortScope = abortScope(outer)
  let cancel: (() => void) | undefined
  let expired: MullionError | undefined
  const expire = (): void => {
    expired = new MullionError('timeout', `${what}: no answer within ${ms} ms`, { details: { limitMs: ms } })
    scope.abort(expired)
  }
  const limit: Limit = {
    signal: scope.signal,
    suspend: () => cancel?.(),
    resume() {
      cancel?.()
      cancel = clock.after(ms, expire)
    },
    async answer(work, late = () => {}) {
      limit.resume()
      try {
        return await orAborted(work, scope.signal, late)
      } finally {
        cancel?.()
      }
    },
    async settle(work, late) {
      try {
        return await settledOrAborted(work, scope.signal, late)
      } catch (error) {
        throw expired ?? error
      } finally {
        cancel?.()
      }
    },
    end() {
      cancel?.()
      scope[Symbol.dispose]()
    },
  }
  return limit
}

async function limitedRead(limit: Limit, open: (signal: AbortSignal) => Promise<ReadResult>): Promise<ReadResult> {
  try {
    const { body, size, etag } = await limit.answer(open(limit.signal), (late) => void release(late.body))
    return { body: firstWithin(limit, body), size, etag }
  } catch (error) {
    limit.end()
    throw error
  }
}

async function* limitedList(
  limit: Limit,
  list: NonNullable<AnyStore['list']>,
  { alive }: ListOptions,
): AsyncGenerator<Listed<unknown>> {
  const { signal } = limit
  const goOn = (): void => {
    limit.resume()
    alive()
  }
  try {
    yield* stepwise(list({ signal, alive: goOn }), signal, (next) => limit.answer(next()))
  } finally {
    limit.end()
  }
}

/** The signal must reach the store as long as the body lasts, so the limit ends with it. */
function firstWithin(limit: Limit, body: ByteStream): GuardedBody {
  const guarded = guardBody(body, { onEnd: () => limit.end() })
  const inner = guarded[Symbol.asyncIterator]()
  let first = true
  const iterator: AsyncIterator<Uint8Array> = {
    next() {
      if (!first) return inner.next()
      first = false
      return limit.answer(inner.next())
    },
    ...(inner.return && { return: inner.return.bind(inner) }),
  }
  return { [Symbol.asyncIterator]: () => iterator, destroy: (error) => guarded.destroy(error) }
}

function outsideTransfer(limit: Limit, body: ByteStream): ByteStream {
  return {
    [Symbol.asyncIterator]() {
      const inner = body[Symbol.asyncIterator]()
      return {
        async next() {
          limit.suspend()
          const step = await inner.next()
          if (step.done) limit.resume()
          return step
        },
        ...(inner.return && { return: inner.return.bind(inner) }),
      }
    },
  }
}
