import { MullionError } from '../errors.ts'
import type { AnyStore, Layer } from '../plugin.ts'
import type { ByteStream } from '../store.ts'
import { around } from './around.ts'
import { type GuardedBody, guardBody } from './body.ts'
import { type Clock, pause, systemClock } from './clock.ts'

export interface RateLimitOptions {
  /** Calls that start per second. Default: no limit. */
  readonly perSecond?: number
  /** Calls that may start at once after a quiet time. Default 1. */
  readonly burst?: number
  /** Bytes per second of all bodies of the store together, in both directions. Default: no limit. */
  readonly bytesPerSecond?: number
  readonly clock?: Clock
}

/** Delays calls, and chunks, of each store it is applied to. Nothing is refused. */
export function rateLimit(options: RateLimitOptions): Layer {
  const { perSecond, burst = 1, bytesPerSecond, clock = systemClock } = options
  for (const [name, value] of Object.entries({ perSecond, burst, bytesPerSecond })) {
    if (value === undefined || value > 0) continue
    throw new MullionError('invalid_argument', `rateLimit: ${name} must be positive, got ${value}`, {
      details: { name },
    })
  }
  return (next, about) => {
    const bytes = bytesPerSecond === undefined ? {} : throttled(next, createBucket(clock, bytesPerSecond, 0))
    if (perSecond === undefined) return bytes
    const calls = createBucket(clock, perSecond, burst - 1)
    const starts = around(
      async ({ signal }, call) => {
        await calls.take(1, signal)
        return call()
      },
      { transfer: 'ignored' },
    )
    return { ...bytes, ...starts({ ...next, ...bytes }, about) }
  }
}

interface Bucket {
  /** Undefined when there is no need to wait. Aborting gives the share back and rejects with the signal's reason. */
  take(units: number, signal: AbortSignal): Promise<void> | undefined
}

/** Generic cell rate algorithm (ITU-T I.371): one number, the time when all that was taken has been paid for. */
function createBucket(clock: Clock, unitsPerSecond: number, ahead: number): Bucket {
  const msPerUnit = 1000 / unitsPerSecond
  let paid = Number.NEGATIVE_INFINITY
  return {
    take(units, signal) {
      const now = clock.now()
      const start = Math.max(paid, now)
      paid = start + units * msPerUnit
      const wait = start - ahead * msPerUnit - now
      if (wait <= 0) return undefined
      return pause(clock, wait, signal).catch((error: unknown) => {
        paid -= units * msPerUnit
        throw error
      })
    },
  }
}

function throttled(next: AnyStore, bucket: Bucket): Partial<AnyStore> {
  const slow = (body: ByteStream, signal: AbortSignal): GuardedBody =>
    guardBody(body, { onChunk: (chunk) => bucket.take(chunk.byteLength, signal), onEnd() {} })
  const write = next.write?.bind(next)
  return {
    async read(at, options) {
      const { body, size, etag } = await next.read(at, options)
      return { body: slow(body, options.signal), size, etag }
    },
    ...(write && { write: (key, body, options) => write(key, slow(body, options.signal), options) }),
  }
}
