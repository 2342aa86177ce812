import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import got, { type Request } from 'got'
import { type Agents, dropIdle } from './agents.ts'
import { isMullionError } from 'mullion'
import { codeOf, failure, transportError } from './errors.ts'

/** Whoever gets it reads `stream` to its end or destroys it. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly stream: Readable
  /** The request went out before, and the server may have carried it out without our hearing of it. */
  readonly isRepeated?: boolean
}

export interface Limits {
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly idleTimeoutMs: number
}

export type Method = 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE'

export interface Exchange {
  readonly url: string
  readonly method: Method
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body?: Uint8Array | undefined
  readonly agents: Agents
  readonly limits: Limits
  /** Any of them ends the exchange, the body of the answer included. */
  readonly signals: readonly AbortSignal[]
}

/** Resolves once the connection took the chunk. */
export type Send = (chunk: Uint8Array) => Promise<void>

/**
 * One request and its answer, redirects and error statuses as they are. Rejects `timeout` or `unavailable`. Waiting for a
 * connection is bounded by the signals alone: those that have one are bounded, or read as slowly as somebody likes. A kept
 * connection may be dead when it is used again: that is no failure, the request goes out anew (RFC 9112 §9.3.1).
 */
export async function exchange(wanted: Exchange): Promise<Answer> {
  const { method, body, limits, signals } = wanted
  const opened = open(wanted)
  if (method === 'PUT') void opened.connected.then(opened.linger)
  if (body === undefined && method !== 'GET' && method !== 'HEAD') opened.stream.end()
  try {
    await Promise.race([opened.connected, opened.answer])
    const answer = await within(opened.answer, limits.responseTimeoutMs)
    if (method === 'HEAD') await headEnded(answer)
    return answer
  } catch (error) {
    const { reusedSocket } = opened.stream
    opened.stream.destroy()
    const isDead = reusedSocket === true && (isCut(error) || isMullionError(error, 'timeout'))
    if (isDead && !signals.some(({ aborted }) => aborted)) {
      dropIdle(wanted.agents)
      return { ...(await exchange(wanted)), isRepeated: true }
    }
    throw reasonOf(signals, error)
  }
}

/**
 * Behind the headers of some errors Swift sends the end of a body that HEAD has not (eventlet wsgi.py, chunked): such a
 * connection must not be used again.
 */
async function headEnded({ status, stream }: Answer): Promise<void> {
  if (status < 300 || status === 404) await finished(stream.resume()).catch(() => {})
  stream.destroy()
}

/** Long enough for a proxy to ask its storage nodes, short enough for a server that knows no `Expect`. */
const CONTINUE_MS = 5000

/**
 * One PUT whose body `feed` sends. The server is asked first (`Expect: 100-continue`, RFC 9110 §10.1.1): when it refuses,
 * for its token or its target, `feed` was not called and nothing of the body is lost. An answer in the middle of the body
 * stops `feed` and is the answer.
 */
export async function upload(wanted: Exchange, feed: (send: Send) => Promise<void>): Promise<Answer> {
  const { limits, signals } = wanted
  const { stream, answer, connected, linger } = open({
    ...wanted,
    headers: { ...wanted.headers, expect: '100-continue' },
  })
  stream.once('request', (request) => request.flushHeaders())
  try {
    const early = await Promise.race([answer, continued(stream, connected)])
    if (early) return early
    const interrupted = await fed(wanted, stream, answer, { feed, linger })
    if (interrupted) return interrupted
    linger()
    stream.end()
    return await within(answer, limits.responseTimeoutMs)
  } catch (error) {
    stream.destroy()
    throw reasonOf(signals, error)
  }
}

interface Opened {
  readonly stream: Request
  readonly answer: Promise<Answer>
  /** Once the request has a connection. */
  readonly connected: Promise<void>
  /** From now on the server may carry the request out whatever happens, so an abort gives it time to say so. */
  linger(): void
}

/** Whoever aborts wants to know what is there, and a deletion that overtakes its PUT deletes nothing. */
const LINGER_MS = 3000

/** got without what the store does itself or must not happen: redirects, retries, decoding, proxies, socket files. */
function open({ url, method, headers, body, agents, limits, signals }: Exchange): Opened {
  for (const signal of signals) signal.throwIfAborted()
  const { connectTimeoutMs: limit } = limits
  const stream = got.stream(url, {
    method,
    headers: { 'user-agent': 'mullion', 'accept-encoding': 'identity', ...headers },
    ...(body !== undefined && { body }),
    agent: { ...agents },
    retry: { limit: 0 },
    followRedirect: false,
    throwHttpErrors: false,
    decompress: false,
    enableUnixSockets: false,
    timeout: { lookup: limit, connect: limit, secureConnect: limit },
  })
  const link = destroyedBy(signals, stream)
  const answer = new Promise<Answer>((resolve, reject) => {
    stream.once('response', ({ statusCode, headers: received }) => {
      resolve({ status: statusCode, headers: received, stream })
    })
    // stays: an error between the answer and the first read must find a listener
    stream.on('error', reject)
    stream.once('close', () => {
      link.off()
      reject(failure('unavailable', 'the connection ended without an answer', {}))
    })
  })
  answer.catch(() => {}) // whoever waits for it hears of it
  const connected = new Promise<void>((resolve) => {
    stream.once('request', (request) => {
      if (request.socket) resolve()
      else request.once('socket', () => resolve())
    })
  })
  return { stream, answer, connected, linger: link.linger }
}

function continued(stream: Request, connected: Promise<void>): Promise<undefined> {
  return new Promise((resolve) => {
    const go = (): void => {
      clearTimeout(timer)
      stream.off('continue', go).off('close', go)
      resolve(undefined)
    }
    let timer: NodeJS.Timeout | undefined
    stream.once('continue', go).once('close', go)
    void connected.then(() => {
      if (!stream.destroyed) timer = setTimeout(go, CONTINUE_MS)
    })
  })
}

/** Runs `feed` to its end, or until there is an answer; resolves with that. */
async function fed(
  { headers, limits: { idleTimeoutMs: limitMs } }: Exchange,
  stream: Request,
  answer: Promise<Answer>,
  { feed, linger }: { feed: (send: Send) => Promise<void>; linger: () => void },
): Promise<Answer | undefined> {
  const length = Number(headers['content-length'] ?? Number.POSITIVE_INFINITY)
  let sent = 0
  let interrupt: (error: unknown) => void = () => {}
  let early: Answer | undefined
  let broken: { readonly error: unknown } | undefined
  const stop = new Error('interrupted')
  answer.then(
    (answered) => {
      early = answered
      interrupt(stop)
    },
    (error: unknown) => {
      broken = { error }
      interrupt(error)
    },
  )
  const send: Send = (chunk) =>
    new Promise((resolve, reject) => {
      if (early) return reject(stop)
      if (broken) return reject(broken.error)
      interrupt = reject
      sent += chunk.byteLength
      if (sent >= length) linger()
      const late = (): void => reject(failure('timeout', `the server took no bytes for ${limitMs} ms`, { limitMs }))
      const timer = setTimeout(late, limitMs)
      stream.write(chunk, (error) => {
        clearTimeout(timer)
        if (error) reject(error)
        else resolve()
      })
    })
  try {
    await feed(send)
    return undefined
  } catch (error) {
    if (early && error === stop) return early
    throw error
  }
}

/** The promise, or `timeout`. */
export async function within<T>(promise: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(failure('timeout', `no answer within ${limitMs} ms`, { limitMs })), limitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** How a kept connection ends that the peer has closed. There are only so many of them: a new one is never reused. */
function isCut(error: unknown): boolean {
  return ['ECONNRESET', 'EPIPE'].includes(codeOf(error) ?? '')
}

/** What the feeding function threw is for its caller: only errors of got and its socket are translated. */
function reasonOf(signals: readonly AbortSignal[], error: unknown): unknown {
  const stopped = signals.find(({ aborted }) => aborted)
  if (stopped) return stopped.reason
  return error instanceof Error && (codeOf(error) !== undefined || 'event' in error) ? transportError(error) : error
}

function destroyedBy(signals: readonly AbortSignal[], stream: Readable): { linger(): void; off(): void } {
  let afterMs = 0
  let timer: NodeJS.Timeout | undefined
  const destroy = (): void => void stream.destroy(failure('closed', 'stopped', {}))
  const stop = (): void => {
    if (afterMs === 0) destroy()
    else timer ??= setTimeout(destroy, afterMs)
  }
  for (const signal of signals) signal.addEventListener('abort', stop, { once: true })
  return {
    linger() {
      afterMs = LINGER_MS
    },
    off() {
      clearTimeout(timer)
      for (const signal of signals) signal.removeEventListener('abort', stop)
    },
  }
}
