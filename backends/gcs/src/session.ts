import type { IncomingHttpHeaders } from 'node:http'
import { isMullionError } from 'mullion'
import { type Api, infoOf, type ObjectInfo, refused } from './api.ts'
import type { Chunk } from './chunks.ts'
import { crc32cText } from './crc32c.ts'
import { brokenAnswer, failure } from './errors.ts'
import type { Answer, Caller, Exchange } from './exchange.ts'
import type { GcsLocation } from './location.ts'
import { failuresOf, isPassing, type Patience } from './patience.ts'

export interface UploadTools {
  readonly api: Api
  readonly exchange: Exchange
  readonly patience: Patience
  readonly idleTimeoutMs: number
}

/** A resumable upload: https://cloud.google.com/storage/docs/performing-resumable-uploads */
export interface Session {
  readonly at: GcsLocation
  /** Whoever knows it can write into the upload: it is kept here only, and no token is sent with it. */
  readonly url: URL
}

export interface SessionOptions extends Caller {
  readonly size: number | undefined
  readonly metadata: Readonly<Record<string, string>>
}

const CONTENT_TYPE = 'application/octet-stream'

/** The object appears at the end, complete, and only if there is none then. Rejects `already_exists`. */
export async function startSession({ api }: UploadTools, at: GcsLocation, options: SessionOptions): Promise<Session> {
  const { size, metadata, signal, alive } = options
  const answer = await api.call(
    {
      method: 'POST',
      path: `/upload/storage/v1/b/${encodeURIComponent(at.bucket)}/o`,
      query: { uploadType: 'resumable', name: at.object, ifGenerationMatch: '0' },
      headers: {
        'x-upload-content-type': CONTENT_TYPE,
        ...(size !== undefined && { 'x-upload-content-length': String(size) }),
      },
      body: { contentType: CONTENT_TYPE, metadata },
      at,
      signal,
      alive,
    },
    [412],
  )
  answer.stream.resume()
  if (answer.status === 412) throw taken(at)
  const address = answer.headers.location
  if (address === undefined || !/^https?:/.test(address) || !URL.canParse(address)) {
    throw brokenAnswer('the service opened no upload session')
  }
  return { at, url: new URL(address) }
}

/** What a step of an upload led to. */
type Step =
  | { readonly kind: 'kept'; readonly bytes: number }
  | { readonly kind: 'done'; readonly info: ObjectInfo }
  | { readonly kind: 'lost' }

/**
 * Brings one chunk to the service, however often that takes; resolves with the object once it is the last. A server may
 * keep only part of what it was sent, so its own count decides where to go on, and after every failure it is asked for.
 */
export async function sendChunk(
  tools: UploadTools,
  session: Session,
  chunk: Chunk,
  caller: Caller,
): Promise<ObjectInfo | undefined> {
  const end = chunk.start + chunk.bytes.byteLength
  const failures = failuresOf(tools.patience, caller)
  let kept = chunk.start
  let isKnown = true
  for (;;) {
    try {
      const step = isKnown ? await put(tools, session, chunk, kept, caller) : await query(tools, session, chunk, caller)
      if (step.kind === 'done') return finished(chunk, step.info)
      if (step.kind === 'lost') break
      if (step.bytes < kept || step.bytes > end) throw brokenAnswer('the service lost bytes of the upload')
      const isProgress = step.bytes > kept
      kept = step.bytes
      if (kept === end && !chunk.end) return undefined
      if (isKnown && !isProgress) throw failure('unavailable', 'the service kept nothing of what it was sent', {})
      if (isProgress) failures.reset()
      isKnown = true
    } catch (error) {
      await failures.count(error)
      isKnown = false
    }
  }
  throw failure('unavailable', 'the upload session is gone', {})
}

/**
 * Ends an upload that shall not be; answers the object if it was finished after all, which it can be only when `last`
 * was sent. Rejects when the service does not say; an upload that stays open ends by itself after a week.
 */
export async function cancelSession(
  tools: UploadTools,
  session: Session,
  last: Chunk | undefined,
  signal: AbortSignal,
): Promise<ObjectInfo | undefined> {
  const reached = last && (await query(tools, session, last, { signal }).catch(unlessDoubtful))
  if (reached?.kind === 'done') return reached.info
  const answer = await tools.exchange
    .ask({ method: 'DELETE', url: session.url, headers: {}, signal })
    .catch(() => undefined)
  answer?.stream.resume()
  return undefined
}

/** Whatever refusal the service gives, it knows of no finished upload. */
function unlessDoubtful(error: unknown): undefined {
  if (!isMullionError(error) || isPassing(error)) throw error
}

/** The part of the chunk from byte `from` of the object on. */
function put(tools: UploadTools, session: Session, chunk: Chunk, from: number, caller: Caller): Promise<Step> {
  const body = chunk.bytes.subarray(from - chunk.start)
  if (body.byteLength === 0) return query(tools, session, chunk, caller) // the last one, empty or kept to its end
  const total = chunk.end?.size ?? '*'
  const range = `bytes ${from}-${from + body.byteLength - 1}/${total}`
  return continued(tools, session, { range, chunk, body, caller })
}

/** Asks where the upload stands. With the size, it also ends one that lacks nothing else. */
function query(tools: UploadTools, session: Session, chunk: Chunk, caller: Caller): Promise<Step> {
  return continued(tools, session, { range: `bytes */${chunk.end?.size ?? '*'}`, chunk, body: undefined, caller })
}

interface StepAsk {
  readonly range: string
  readonly chunk: Chunk
  readonly body: Uint8Array | undefined
  readonly caller: Caller
}

async function continued(
  tools: UploadTools,
  { at, url }: Session,
  { range, chunk, body, caller }: StepAsk,
): Promise<Step> {
  const { exchange, api, idleTimeoutMs } = tools
  const { signal, alive } = caller
  // the service refuses to finish an object of another checksum: https://cloud.google.com/storage/docs/data-validation
  const hash = chunk.end && { 'x-goog-hash': `crc32c=${crc32cText(chunk.end.crc32c)}` }
  const answer = await exchange.ask({
    method: 'PUT',
    url,
    headers: { 'content-range': range, ...hash },
    body,
    signal,
    alive,
  })
  switch (answer.status) {
    case 308:
      answer.stream.resume()
      return { kind: 'kept', bytes: keptBytes(answer.headers) }
    case 200:
    case 201:
      return { kind: 'done', info: infoOf(await api.json(answer, signal)) }
    case 404:
    case 410:
    case 499:
      answer.stream.resume()
      return { kind: 'lost' }
    case 412:
      answer.stream.resume()
      throw taken(at)
    default:
      throw await refusal(answer, at, chunk, idleTimeoutMs, [signal, exchange.closing])
  }
}

async function refusal(
  answer: Answer,
  at: GcsLocation,
  chunk: Chunk,
  limitMs: number,
  signals: readonly AbortSignal[],
): Promise<unknown> {
  const error = await refused(answer, at, limitMs, signals)
  const isMismatch = answer.status === 400 && chunk.end && /crc32c/i.test(String(error))
  return isMismatch ? mismatch(chunk.end.crc32c, 'another one') : error
}

/** No header: nothing. https://cloud.google.com/storage/docs/performing-resumable-uploads#status-check */
function keptBytes({ range }: IncomingHttpHeaders): number {
  if (range === undefined) return 0
  const last = /^bytes=0-(\d{1,16})$/.exec(range)?.[1]
  if (last === undefined) throw brokenAnswer('the service did not say how much of the upload it has')
  return Number(last) + 1
}

function finished({ end }: Chunk, info: ObjectInfo): ObjectInfo {
  if (!end) throw brokenAnswer('the service ended the upload before its last byte')
  return info
}

/** Throws `size_mismatch` or `hash_mismatch` when the object is not what was sent. */
export function assertSame(info: ObjectInfo, end: { readonly size: number; readonly crc32c: number }): void {
  const { size, crc32c } = info
  if (size !== end.size) {
    const details = { expected: end.size, actual: size }
    throw failure('size_mismatch', `sent ${end.size} bytes, the service has ${size}`, details, true)
  }
  if (crc32c !== crc32cText(end.crc32c)) throw mismatch(end.crc32c, crc32c ?? 'none')
}

/** The bytes changed on their way: another try may help. */
function mismatch(sent: number, actual: string): ReturnType<typeof failure<'hash_mismatch'>> {
  const expected = crc32cText(sent)
  const what = `sent bytes of crc32c ${expected}, the service has ${actual}`
  return failure('hash_mismatch', what, { algorithm: 'crc32c', expected, actual }, true)
}

export function taken({ object }: GcsLocation): ReturnType<typeof failure<'already_exists'>> {
  const key = object.slice(object.lastIndexOf('/') + 1)
  return failure('already_exists', `${key} exists`, { key })
}
