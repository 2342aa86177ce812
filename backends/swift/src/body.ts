import { Readable } from 'node:stream'
import { failure, transportError } from './errors.ts'

/**
 * The bytes of an answer, as a stream that never ends early in silence: too few bytes fail with `unavailable`. Swift says
 * 200 before it knows whether every segment is there, and radosgw then keeps the connection open for a minute.
 * `limitMs` bounds the wait for the next bytes while the reader wants some; a slow reader is no idle server.
 */
export function countedBody(
  stream: Readable,
  expected: number | undefined,
  limitMs: number,
  signal: AbortSignal,
): Readable {
  const iterator: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]()
  const late = (): void => void stream.destroy(failure('timeout', `no bytes for ${limitMs} ms`, { limitMs }))
  let timer: NodeJS.Timeout | undefined
  let seen = 0

  async function pull(): Promise<Uint8Array | null> {
    timer = setTimeout(late, limitMs)
    try {
      const { done, value } = await iterator.next()
      if (!done) {
        seen += value.byteLength
        return value
      }
    } catch (error) {
      throw signal.aborted ? signal.reason : transportError(error)
    } finally {
      clearTimeout(timer)
    }
    if (expected === undefined || seen === expected) return null
    throw failure('unavailable', `the connection ended after ${seen} of ${expected} bytes`, {})
  }

  return new Readable({
    read() {
      pull().then(
        (chunk) => void (this.destroyed || this.push(chunk)),
        (error: Error) => this.destroy(error),
      )
    },
    destroy(error, done) {
      clearTimeout(timer)
      stream.destroy()
      done(error)
    },
  })
}
