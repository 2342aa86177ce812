import { createHash } from 'node:crypto'
import { failure, statusError } from './errors.ts'
import type { Send } from './exchange.ts'
import type { Feed } from './feed.ts'
import { deleteAll, type ObjectPlace } from './objects.ts'
import { etagOf, refusalOf } from './reply.ts'
import { afterwards, putObject, type Tools, waiting } from './tools.ts'

/** A segment that is stored. */
export interface Segment extends ObjectPlace {
  readonly etag: string
  readonly size: number
}

/** Segments of one upload, and how to take them back. */
export interface Segments {
  readonly list: readonly Segment[]
  remove(): Promise<void>
}

export interface SegmentsOptions {
  readonly container: string
  /** What their names begin with: whose they are, when they were begun. */
  readonly prefix: string
  /** Bytes of the whole, undefined when unknown. */
  readonly size: number | undefined
  readonly sizeOf: (index: number) => number
  readonly signal: AbortSignal
  alive(): void
}

/**
 * Sends the body as segments, one after the other and without keeping a byte: while one is sent, others may still wait for
 * the answer that they are stored. Removes all of them when one fails.
 */
export async function sendSegments(tools: Tools, feed: Feed, options: SegmentsOptions): Promise<Segments> {
  const { container, prefix, size, sizeOf, signal, alive } = options
  const begun: ObjectPlace[] = []
  const stored: Promise<Segment>[] = []
  const remove = (): Promise<void> => removeSegments(tools, begun)
  let left = size
  try {
    while (await feed.more()) {
      const limit = sizeOf(begun.length)
      const place = { container, object: `${prefix}${String(begun.length + 1).padStart(8, '0')}` }
      const length = left === undefined ? undefined : Math.min(limit, left)
      begun.push(place)
      const sending = sendSegment(tools, place, feed, { limit, length, signal })
      stored.push(sending.stored)
      await sending.sent
      if (left !== undefined) left -= length ?? 0
      // the oldest of those whose answers are awaited
      await waiting(alive, async () => stored.at(-tools.settings.uploadConcurrency))
    }
    return { list: await waiting(alive, () => Promise.all(stored)), remove }
  } catch (error) {
    await Promise.allSettled(stored)
    await remove()
    throw error
  }
}

interface Sending {
  /** Resolves once its bytes are on their way. */
  readonly sent: Promise<unknown>
  readonly stored: Promise<Segment>
}

function sendSegment(
  tools: Tools,
  place: ObjectPlace,
  feed: Feed,
  { limit, length, signal }: { limit: number; length: number | undefined; signal: AbortSignal },
): Sending {
  const md5 = createHash('md5')
  let size = 0
  let onSent: (() => void) | undefined
  const fed = new Promise<void>((resolve) => {
    onSent = resolve
  })
  const run = async (send: Send): Promise<void> => {
    while (size < limit) {
      const chunk = await feed.next(limit - size)
      if (chunk === undefined) break
      md5.update(chunk)
      size += chunk.byteLength
      await send(chunk)
    }
    onSent?.()
  }
  const framing = length === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': String(length) }
  const headers = { 'content-type': 'application/octet-stream', ...framing }
  const stored = putObject(tools, place, { headers, signal }, run).then((reply): Segment => {
    const what = `PUT ${place.container}/${place.object}`
    if (reply.status !== 201) throw statusError(refusalOf(reply), what)
    const etag = md5.digest('hex')
    if (etagOf(reply.headers) !== etag) throw failure('unavailable', `${what}: other bytes arrived than were sent`, {})
    return { ...place, etag, size }
  })
  stored.catch(() => {}) // whoever waits for all of them hears of it
  return { sent: Promise.race([fed, stored]), stored }
}

/** Deletes them, or tells the operator; the sweep will try again. */
export async function removeSegments({ account, env }: Tools, places: readonly ObjectPlace[]): Promise<void> {
  const left = await afterwards((signal) => deleteAll(account, places, signal))
  if (left > 0) env.log('could not remove segments', { container: places[0]?.container, left })
}
