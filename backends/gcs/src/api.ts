import type { IncomingHttpHeaders } from 'node:http'
import type { MullionError } from 'mullion'
import { textOf } from './body.ts'
import type { GcsSettings } from './config.ts'
import type { Credentials } from './credentials.ts'
import { brokenAnswer, type Refusal, refusalError } from './errors.ts'
import type { Answer, Ask, Caller, Exchange } from './exchange.ts'
import { formatUri, type GcsLocation } from './location.ts'

/** What the service says about an object: https://cloud.google.com/storage/docs/json_api/v1/objects */
export interface ObjectInfo {
  readonly size: number
  /** Another one for every content that a name ever had. */
  readonly generation: string
  readonly crc32c: string | undefined
  /** What its writer added. */
  readonly metadata: Readonly<Record<string, unknown>>
}

export interface Call extends Caller {
  readonly method: Ask['method']
  /** Below the endpoint, encoded. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON. */
  readonly body?: unknown
  /** What it is about, for errors. */
  readonly at: GcsLocation
}

/** The JSON API, with credentials. */
export interface Api {
  /** The answer if its status is 2xx or one of `also`; otherwise rejects with what it means. */
  call(call: Call, also?: readonly number[]): Promise<Answer>
  json(answer: Answer, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>>
  info(at: GcsLocation, caller: Caller): Promise<ObjectInfo>
  /** Rejects `not_found` too when `at` has a generation that is no longer the one there. */
  remove(at: GcsLocation, signal: AbortSignal): Promise<void>
}

const MAX_JSON = 1024 * 1024

export function createApi(settings: GcsSettings, exchange: Exchange, credentials: Credentials): Api {
  const { endpoint, idleTimeoutMs } = settings

  async function ask(wanted: Call): Promise<Answer> {
    const { method, path, query = {}, signal, alive, body } = wanted
    const url = new URL(endpoint + path)
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value)
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
    const type = content && { 'content-type': 'application/json; charset=utf-8' }
    for (let isRenewed = false; ; isRenewed = true) {
      const auth = await credentials.headers(signal)
      const headers = { ...wanted.headers, ...type, ...auth }
      const answer = await exchange.ask({ method, url, headers, body: content, signal, alive })
      if (answer.status !== 401 || isRenewed || auth['authorization'] === undefined) return answer
      answer.stream.destroy()
      await credentials.renew(auth)
    }
  }

  async function call(wanted: Call, also: readonly number[] = []): Promise<Answer> {
    const answer = await ask(wanted)
    const { status } = answer
    if ((status >= 200 && status < 300) || also.includes(status)) return answer
    throw await refused(answer, wanted.at, idleTimeoutMs, [wanted.signal, exchange.closing])
  }

  async function json(answer: Answer, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
    const text = await textOf(answer.stream, MAX_JSON, idleTimeoutMs, [signal, exchange.closing])
    return parsed(text) ?? broken()
  }

  return {
    call,
    json,
    async info(at, { signal, alive }) {
      const query = { fields: 'size,generation,crc32c,metadata', generation: at.generation }
      return infoOf(await json(await call({ method: 'GET', path: pathOf(at), query, at, signal, alive }), signal))
    },
    async remove(at, signal) {
      const query = { ifGenerationMatch: at.generation }
      const answer = await call({ method: 'DELETE', path: pathOf(at), query, at, signal }, [412])
      answer.stream.resume()
      if (answer.status === 412) throw refusalError({ ...NOTHING, status: 404 }, formatUri(at))
    },
  }
}

export function pathOf({ bucket, object }: GcsLocation): string {
  return `/storage/v1/b/${encodeURIComponent(bucket)}/o/${encodeURIComponent(object)}`
}

/** Reads `size`, which JSON has as text, and the rest of an object's metadata. Throws `unavailable`. */
export function infoOf(metadata: Readonly<Record<string, unknown>>): ObjectInfo {
  const { size, generation, crc32c, metadata: custom } = metadata
  const bytes = typeof size === 'string' && /^\d{1,16}$/.test(size) ? Number(size) : Number.NaN
  if (!Number.isSafeInteger(bytes) || typeof generation !== 'string') return broken()
  return {
    size: bytes,
    generation,
    crc32c: typeof crc32c === 'string' ? crc32c : undefined,
    metadata: typeof custom === 'object' && custom !== null ? (custom as Record<string, unknown>) : {},
  }
}

const NOTHING: Refusal = { status: 0, reason: undefined, message: undefined, afterMs: undefined }
const MAX_REFUSAL = 64 * 1024

/** The error that an answer stands for; reads what the service says about it. */
export async function refused(
  answer: Answer,
  at: GcsLocation,
  limitMs: number,
  signals: readonly AbortSignal[],
): Promise<MullionError> {
  const said = await textOf(answer.stream, MAX_REFUSAL, limitMs, signals).catch(() => undefined)
  const stopped = signals.find((each) => each.aborted)
  if (stopped) return stopped.reason as MullionError
  return refusalError(
    { ...NOTHING, ...wordsOf(said), ...pauseOf(answer.headers), status: answer.status },
    formatUri(at),
  )
}

/** Errors of media requests are plain text, the others JSON. */
function wordsOf(said: string | undefined): Partial<Refusal> {
  const { error } = parsed(said) ?? {}
  if (typeof error !== 'object' || error === null) return /^[^<{]{1,300}$/.test(said ?? '') ? { message: said } : {}
  const { message, errors } = error as { message?: unknown; errors?: readonly { reason?: unknown }[] }
  const reason = Array.isArray(errors) ? (errors[0] as { reason?: unknown } | undefined)?.reason : undefined
  return {
    message: typeof message === 'string' ? message : undefined,
    reason: typeof reason === 'string' && /^[A-Za-z]{1,60}$/.test(reason) ? reason : undefined,
  }
}

function pauseOf(headers: IncomingHttpHeaders): Partial<Refusal> {
  const seconds = headers['retry-after']
  return /^\d{1,6}$/.test(seconds ?? '') ? { afterMs: Number(seconds) * 1000 } : {}
}

function parsed(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function broken(): never {
  throw brokenAnswer('the answer of the service is not what its API promises')
}
