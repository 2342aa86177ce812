import type { Readable } from 'node:stream'
import { type ByteStream, MullionError } from 'mullion'

/** The bytes of an answer. `destroy` lets go of the connection, whatever became of the iterator. */
export interface ReadBody extends ByteStream {
  destroy(): void
}

/** `limitMs` bounds the wait for the next bytes while somebody wants them. */
export function bodyOf(stream: Readable, limitMs: number, reason: (error: unknown) => unknown): ReadBody {
  const source: AsyncIterator<Uint8Array> = stream.iterator({ destroyOnReturn: true })
  const destroy = (): void => void stream.destroy()
  stream.on('error', () => {}) // one that comes when nobody reads any more
  const late = (): void => {
    const what = `s3 store: GetObject: no bytes for ${limitMs} ms`
    stream.destroy(new MullionError('timeout', what, { details: { limitMs } }))
  }
  const iterator: AsyncIterator<Uint8Array> = {
    async next() {
      const timer = setTimeout(late, limitMs)
      try {
        return await source.next()
      } catch (error) {
        throw reason(error)
      } finally {
        clearTimeout(timer)
      }
    },
    async return() {
      destroy()
      return { done: true, value: undefined }
    },
  }
  return { destroy, [Symbol.asyncIterator]: () => iterator }
}
