import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import got, { type Request } from 'got'
import type { Agents } from './agents.ts'
import { codeOf, failure, transportError } from './errors.ts'

/** Whoever gets it reads `stream` to its end or destroys it. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly stream: Readable
}

export interface Exchange {
  /** Without user information. */
  readonly url: URL
  readonly method: 'GET' | 'HEAD'
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly agents: Agents
  /** Any of them ends the exchange, the body included. */
  readonly signals: readonly AbortSignal[]
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
}

/**
 * One request and its answer, redirects and error statuses as they are. Rejects `timeout` or `unavailable`. A server may
 * close a kept connection just as it is used again: that is no failure, the request goes out anew (RFC 9112 §9.3.1).
 */
export function exchange(wanted: Exchange): Promise<Answer> {
  const { method, signals, responseTimeoutMs: limitMs } = wanted
  return new Promise((resolve, reject) => {
    const aborted = signals.find((signal) => signal.aborted)
    if (aborted) return reject(aborted.reason as Error)
    const stream = opened(wanted)
    const late = failure('timeout', `no answer within ${limitMs} ms`, { limitMs })
    const timer = setTimeout(() => stream.destroy(late), limitMs)
    const unlink = destroyedBy(signals, stream)
    let isAnswered = false
    stream.once('response', ({ statusCode, headers }) => {
      isAnswered = true
      clearTimeout(timer)
      if (method === 'HEAD') stream.resume().once('end', () => stream.destroy())
      resolve({ status: statusCode, headers, stream })
    })
    // stays: an error between the answer and the first read must find a listener
    stream.on('error', (error) => {
      const stopped = signals.find((signal) => signal.aborted)
      if (stopped) reject(stopped.reason as Error)
      else if (!isAnswered && stream.reusedSocket && STALE.has(codeOf(error) ?? '')) resolve(exchange(wanted))
      else reject(transportError(error))
    })
    stream.once('close', () => {
      clearTimeout(timer)
      unlink()
    })
  })
}

/** A kept connection that the peer has closed. There are only so many of them: a new one is never reused. */
const STALE: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE'])

/** got without what the store does itself or must not happen: redirects, retries, decoding, proxies, socket files. */
function opened({ url, method, headers, agents, connectTimeoutMs: limit }: Exchange): Request {
  return got.stream(url, {
    method,
    headers: { ...headers },
    agent: { ...agents },
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    decompress: false,
    enableUnixSockets: false,
    timeout: { lookup: limit, connect: limit, secureConnect: limit },
  })
}

function destroyedBy(signals: readonly AbortSignal[], stream: Readable): () => void {
  const stop = (): void => void stream.destroy(failure('closed', 'stopped', {}))
  for (const signal of signals) signal.addEventListener('abort', stop, { once: true })
  return () => {
    for (const signal of signals) signal.removeEventListener('abort', stop)
  }
}
