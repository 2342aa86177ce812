import type { ByteStream } from '../store.ts'
import { seededStream } from './bytes.ts'

/** Yields seeded bytes, then throws `error` itself. */
export async function* failingSource(error: unknown, afterBytes: number, seed = 1): AsyncGenerator<Uint8Array> {
  yield* seededStream(seed, afterBytes)
  throw error
}

/** Single bytes, each in a chunk of its own. */
export async function* oneByteSource(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 1) yield bytes.subarray(at, at + 1)
}

export interface StallingSource extends ByteStream {
  /** Resolves once the next byte is waited for in vain. */
  readonly stalled: Promise<void>
  /** Whether the reader let go of it. */
  readonly released: boolean
}

/** Yields seeded bytes, then nothing more until it is let go of, and not even an end. */
export function stallingSource(afterBytes: number, seed = 1): StallingSource {
  const bytes = seededStream(seed, afterBytes)
  let released = false
  let stall = (): void => {}
  const stalled = new Promise<void>((resolve) => {
    stall = resolve
  })
  return {
    stalled,
    get released() {
      return released
    },
    [Symbol.asyncIterator]: () => ({
      async next() {
        const step = await bytes.next()
        if (!step.done) return step
        stall()
        return new Promise<never>(() => {})
      },
      async return() {
        released = true
        return { done: true, value: undefined }
      },
    }),
  }
}
