import { release } from '../bytes.ts'
import type { ByteStream } from '../store.ts'

/** A body that can be let go of unread, whatever it was made from. */
export interface GuardedBody extends ByteStream {
  destroy(error?: unknown): void
}

export interface BodyWatch {
  /** Sees each chunk before the reader does; a promise holds the chunk back, and its rejection fails the body. */
  onChunk?(chunk: Uint8Array): Promise<void> | undefined
  /** Called once: at the end, on a failure, or when the reader left, even before it began. */
  onEnd(failure: { readonly error: unknown } | undefined): void
}

/** Tells when a body ends. One iterator around the native one: chunks are neither copied nor kept. */
export function guardBody(body: ByteStream, watch: BodyWatch): GuardedBody {
  let inner: AsyncIterator<Uint8Array> | undefined
  let ended = false
  const end = (failure?: { readonly error: unknown }): void => {
    if (ended) return
    ended = true
    watch.onEnd(failure)
  }
  const iterator: AsyncIterator<Uint8Array, undefined> = {
    async next() {
      try {
        inner ??= body[Symbol.asyncIterator]()
        const { done, value } = await inner.next()
        if (done) {
          end()
          return { done: true, value: undefined }
        }
        const held = watch.onChunk?.(value)
        if (held) await held
        return { done: false, value }
      } catch (error) {
        end({ error })
        await release(body, inner)
        throw error
      }
    },
    async return() {
      try {
        await (inner ? inner.return?.() : release(body))
      } finally {
        end()
      }
      return { done: true, value: undefined }
    },
  }
  return {
    [Symbol.asyncIterator]: () => iterator,
    destroy(error) {
      void release(body, inner)
      end(error === undefined ? undefined : { error })
    },
  }
}
