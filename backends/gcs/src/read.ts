import type { IncomingHttpHeaders } from 'node:http'
import type { ReadOptions, ReadResult } from 'mullion'
import { type Api, pathOf } from './api.ts'
import { watchedBody } from './body.ts'
import { brokenAnswer } from './errors.ts'
import type { Answer } from './exchange.ts'
import type { GcsLocation } from './location.ts'

export interface ReadTools {
  readonly api: Api
  readonly idleTimeoutMs: number
  readonly closing: AbortSignal
}

/** One request is one generation, which is the etag: reading on elsewhere notices another one. */
export async function read(tools: ReadTools, at: GcsLocation, options: ReadOptions): Promise<ReadResult> {
  const { api, idleTimeoutMs, closing } = tools
  const { offset, length, signal } = options
  const range = rangeOf(offset, length)
  const answer = await storedBytes(api, at, range, signal)
  if (answer.status === 416) {
    answer.stream.destroy()
    const { size, generation } = await api.info(at, { signal })
    if (offset < size) throw brokenAnswer('the service refused a range that exists')
    return { body: nothing(), size, etag: generation }
  }
  try {
    const size = sizeOf(answer, range === undefined ? undefined : offset)
    const etag = generationOf(answer.headers)
    return { body: watchedBody(answer.stream, idleTimeoutMs, [signal, closing]), size, etag }
  } catch (error) {
    answer.stream.destroy()
    throw error
  }
}

function rangeOf(offset: number, length: number | undefined): string | undefined {
  if (length !== undefined) return `bytes=${offset}-${offset + length - 1}`
  return offset > 0 ? `bytes=${offset}-` : undefined
}

/**
 * The service unpacks what is stored with `Content-Encoding: gzip` for those who do not say that they could, and then
 * knows neither ranges nor length: https://cloud.google.com/storage/docs/transcoding. Size and checksum are those of the
 * stored bytes, so these are what a reader gets.
 */
async function storedBytes(api: Api, at: GcsLocation, range: string | undefined, signal: AbortSignal): Promise<Answer> {
  const ask = (headers: Record<string, string>): Promise<Answer> => {
    const ranged = range === undefined ? headers : { ...headers, range }
    return api.call({ method: 'GET', path: pathOf(at), query: { alt: 'media' }, headers: ranged, at, signal }, [416])
  }
  const answer = await ask({})
  if (stored(answer.headers) !== 'gzip' || answer.status === 416) return answer
  answer.stream.destroy()
  return ask({ 'accept-encoding': 'gzip' })
}

/** Bytes of the whole object. Throws `unavailable` when the answer has other bytes than those asked for. */
function sizeOf({ status, headers }: Answer, offset: number | undefined): number {
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding !== stored(headers)) throw brokenAnswer('the service changed the encoding of the object')
  if (offset === undefined) {
    const size = headers['content-length']
    if (status !== 200 || size === undefined) throw brokenAnswer('the service did not say how many bytes it sends')
    return Number(size)
  }
  const [, first, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(headers['content-range'] ?? '') ?? []
  if (status !== 206 || Number(first) !== offset) throw brokenAnswer('the service sent another range than asked for')
  return Number(total)
}

const header = (headers: IncomingHttpHeaders, name: string): string | undefined => {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

const stored = (headers: IncomingHttpHeaders): string => header(headers, 'x-goog-stored-content-encoding') ?? 'identity'

const generationOf = (headers: IncomingHttpHeaders): string | undefined => header(headers, 'x-goog-generation')

async function* nothing(): AsyncGenerator<Uint8Array> {}
