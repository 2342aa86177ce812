import { Readable } from 'node:stream'
import { brokenAnswer, failure, transportError } from './errors.ts'

/** What the bytes of an answer are. */
export interface BodyPlan {
  /** Bytes that the answer announced, undefined when it did not. */
  readonly expected: number | undefined
  /** Bytes in front that were not asked for. */
  readonly skip: number
  /** Bytes wanted after those, undefined for all. */
  readonly take: number | undefined
}

/**
 * The bytes asked for, as a stream that never ends early in silence: too few bytes fail with `unavailable`, too many
 * too. `limitMs` bounds the wait for the next bytes while the reader wants some; a slow reader is no idle server.
 */
export function countedBody(
  stream: Readable,
  { expected, skip, take = Number.POSITIVE_INFINITY }: BodyPlan,
  limitMs: number,
  reason: (error: unknown) => unknown = transportError,
): Readable {
  const iterator: AsyncIterator<Uint8Array> = stream[Symbol.asyncIterator]()
  const late = (): void => void stream.destroy(failure('timeout', `no bytes for ${limitMs} ms`, { limitMs }))
  let timer: NodeJS.Timeout | undefined
  let unwanted = skip
  let wanted = take
  let seen = 0

  async function next(): Promise<Uint8Array | undefined> {
    timer = setTimeout(late, limitMs)
    try {
      const { done, value } = await iterator.next()
      return done ? undefined : value
    } catch (error) {
      throw reason(error)
    } finally {
      clearTimeout(timer)
    }
  }

  async function pull(): Promise<Uint8Array | null> {
    while (wanted > 0) {
      const chunk = await next()
      if (chunk === undefined) return ended()
      seen += chunk.length
      if (expected !== undefined && seen > expected)
        throw brokenAnswer(`more than the announced ${expected} bytes arrived`)
      const from = Math.min(unwanted, chunk.length)
      const piece = chunk.subarray(from, from + wanted)
      unwanted -= from
      wanted -= piece.length
      if (piece.length > 0) return piece
    }
    return null
  }

  function ended(): null {
    if (expected === undefined || seen === expected) return null
    throw failure('unavailable', `the connection ended after ${seen} of ${expected} bytes`, {})
  }

  const body = new Readable({
    read() {
      pull().then(
        (chunk) => void (body.destroyed || body.push(chunk)),
        (error: Error) => body.destroy(error),
      )
    },
    destroy(error, done) {
      clearTimeout(timer)
      stream.destroy()
      done(error)
    },
  })
  return body
}
