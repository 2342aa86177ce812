import { Readable } from 'node:stream'
import type { ReadOptions, ReadResult } from 'mullion'
import { type Account, pathOf } from './account.ts'
import { countedBody } from './body.ts'
import { brokenAnswer, failure, statusError } from './errors.ts'
import type { Answer } from './exchange.ts'
import { newest, type ObjectPlace } from './objects.ts'
import { etagOf, headerOf, integer, refusalOf, replyOf } from './reply.ts'

/** Objects never change under their name, so any replica will do. */
export async function read(
  account: Account,
  place: ObjectPlace,
  options: ReadOptions,
  idleTimeoutMs: number,
): Promise<ReadResult> {
  const { signal } = options
  const range = rangeOf(options)
  const path = pathOf(place.container, place.object)
  const answer = await account.open({ method: 'GET', path, headers: { range }, signal })
  try {
    if (answer.status === 416 && range !== undefined) return await behindTheEnd(account, place, answer, signal)
    if (answer.status !== 200 && answer.status !== 206) {
      const reply = await replyOf(answer, idleTimeoutMs)
      throw statusError(refusalOf(reply), `GET ${place.container}/${place.object}`)
    }
    const { expected, size } = extentOf(answer, options)
    const body = countedBody(answer.stream, expected, idleTimeoutMs, signal)
    return { body, size, etag: etagOf(answer.headers) }
  } catch (error) {
    answer.stream.destroy()
    throw error
  }
}

function rangeOf({ offset, length }: ReadOptions): string | undefined {
  if (length !== undefined) return `bytes=${offset}-${offset + length - 1}`
  return offset > 0 ? `bytes=${offset}-` : undefined
}

/** radosgw does not say with 416 how long the object is. */
async function behindTheEnd(
  account: Account,
  place: ObjectPlace,
  { headers, stream }: Answer,
  signal: AbortSignal,
): Promise<ReadResult> {
  stream.destroy()
  const total = integer(/^bytes \*\/(\d+)$/i.exec(headerOf(headers, 'content-range') ?? '')?.[1])
  if (total !== undefined) return { body: Readable.from([]), size: total, etag: etagOf(headers) }
  const head = await newest(account, place, signal)
  if (!head) throw failure('not_found', `GET ${place.container}/${place.object}`, { location: place.object })
  return { body: Readable.from([]), size: head.size, etag: head.etag }
}

/** Bytes of the body, and of the whole object. */
function extentOf(
  { status, headers }: Answer,
  { offset, length }: ReadOptions,
): { expected: number | undefined; size: number | undefined } {
  const announced = integer(headerOf(headers, 'content-length'))
  if (status === 200) {
    if (offset > 0) throw brokenAnswer('the server ignores ranges')
    if (length !== undefined && announced !== undefined && announced > length)
      throw brokenAnswer('the server ignores ranges')
    return { expected: announced, size: announced }
  }
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/i.exec(headerOf(headers, 'content-range') ?? '')
  const [first, last, total] = [integer(match?.[1]), integer(match?.[2]), integer(match?.[3])]
  const end = Math.min(total ?? 0, length === undefined ? Number.POSITIVE_INFINITY : offset + length)
  if (first !== offset || last === undefined || last + 1 !== end)
    throw brokenAnswer('the server sent another range than the one asked for')
  return { expected: end - offset, size: total }
}
