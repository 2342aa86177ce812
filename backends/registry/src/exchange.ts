import type { MullionError } from 'mullion'
import got, { RequestError } from 'got'
import { type Agents, dropIdle } from './agents.ts'
import { brokenAnswer, failure, transportError } from './errors.ts'

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'

export interface Exchange {
  readonly method: Method
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly agents: Agents
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  /** Ends what is in flight. */
  readonly closing: AbortSignal
}

/** An answer, whatever its status, or why there is none. */
export type Outcome =
  | { readonly status: number; readonly retryAfter: string | undefined; readonly text: string }
  | {
      readonly failed: MullionError
      /** Whether the request may have reached the registry, which may then have carried it out. */
      readonly arrived: boolean
    }

/** A page of a thousand images with long properties is far below this. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/** One request: no redirects, retries, decoding, cookies or socket files. Never rejects. */
export async function exchange(wanted: Exchange): Promise<Outcome> {
  const { method, url, headers, body, agents, connectTimeoutMs: limit, responseTimeoutMs, closing } = wanted
  const stop = new AbortController()
  const close = (): void => stop.abort()
  closing.addEventListener('abort', close)
  const request = got(url, {
    method,
    headers: { 'user-agent': 'mullion', accept: 'application/json', ...headers },
    ...(body !== undefined && { body }),
    agent: { ...agents },
    signal: stop.signal,
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    decompress: false,
    enableUnixSockets: false,
    timeout: {
      lookup: limit,
      connect: limit,
      secureConnect: limit,
      send: responseTimeoutMs,
      response: responseTimeoutMs,
      read: responseTimeoutMs,
      // a turn among the connections is waited for as long as an answer
      request: 3 * limit + 4 * responseTimeoutMs,
    },
  })
  void request.on('downloadProgress', ({ transferred }) => {
    if (transferred > MAX_ANSWER_BYTES) stop.abort()
  })
  try {
    const { statusCode: status, headers: received, body: text } = await request
    return { status, retryAfter: received['retry-after'], text }
  } catch (error) {
    dropIdle(agents)
    if (closing.aborted) return { failed: failure('closed', 'it was closed', {}), arrived: true }
    if (stop.signal.aborted) return { failed: brokenAnswer('the answer is too long'), arrived: true }
    return { failed: transportError(error), arrived: wasConnected(error, url.startsWith('https:')) }
  } finally {
    closing.removeEventListener('abort', close)
  }
}

/** got notes when each step of a connection was done; a kept one counts as connected from the start. */
function wasConnected(error: unknown, isSecure: boolean): boolean {
  if (!(error instanceof RequestError)) return true
  const { timings } = error
  return (isSecure ? timings?.secureConnect : timings?.connect) !== undefined
}
