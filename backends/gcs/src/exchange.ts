import { setMaxListeners } from 'node:events'
import {
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  Agent as HttpAgent,
  request as plain,
} from 'node:http'
import { Agent as HttpsAgent, request as secure } from 'node:https'
import type { Socket } from 'node:net'
import type { GcsSettings } from './config.ts'
import { codeOf, failure, timedOut, transportError } from './errors.ts'

/** Who waits for the answer. */
export interface Caller {
  readonly signal: AbortSignal
  /** Told of everything that moves, and of every wait that begins or was in vain: each has its own limit. */
  readonly alive?: (() => void) | undefined
}

export interface Ask extends Caller {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** Not changed until the answer is there. */
  readonly body?: Uint8Array | undefined
}

/** Whoever gets it reads `stream` to its end or destroys it. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly stream: IncomingMessage
}

export interface Exchange {
  /**
   * One request and its answer, whatever its status. Rejects `timeout`, `unavailable`, or with the reason of the signal,
   * which ends the body of the answer too.
   */
  ask(ask: Ask): Promise<Answer>
  agentFor(url: URL): HttpAgent
  /** Aborts when the store closes. */
  readonly closing: AbortSignal
  /** Ends what is in flight with `closed`. */
  close(): void
}

type Limits = Pick<GcsSettings, 'connectTimeoutMs' | 'responseTimeoutMs' | 'idleTimeoutMs'>

/** How long a connection may wait for its next request. */
const FREE_SOCKET_MS = 4000
/** What is handed to the socket at once; each such piece that leaves counts as progress. */
const SLICE = 256 * 1024

/**
 * Node's own client: streams and requests of the SDK have hung for good when a connection broke or nobody read
 * (googleapis/nodejs-storage issues 312, 1946, 2367), and take no signal.
 */
export function createExchange(limits: Limits): Exchange {
  const pool = { keepAlive: true, timeout: FREE_SOCKET_MS }
  const agents = { http: new HttpAgent(pool), https: new HttpsAgent(pool) }
  const controller = new AbortController()
  setMaxListeners(0, controller.signal) // one listener for each request in flight
  const agentFor = ({ protocol }: URL): HttpAgent => (protocol === 'https:' ? agents.https : agents.http)
  return {
    ask: (ask) => exchanged(ask, agentFor(ask.url), limits, controller.signal),
    agentFor,
    closing: controller.signal,
    close() {
      controller.abort(failure('closed', 'the store was closed', {}))
      agents.http.destroy()
      agents.https.destroy()
    },
  }
}

function exchanged(ask: Ask, agent: HttpAgent, limits: Limits, closing: AbortSignal): Promise<Answer> {
  const { method, url, body, signal } = ask
  const signals = [signal, closing]
  return new Promise((resolve, reject) => {
    const aborted = signals.find((each) => each.aborted)
    if (aborted) return reject(aborted.reason as Error)
    const length = method === 'GET' ? {} : { 'content-length': String(body?.byteLength ?? 0) }
    const send = url.protocol === 'https:' ? secure : plain
    const request = send(url, { method, agent, headers: { ...ask.headers, ...length } })
    const timer = stopwatch(ask, (what, limitMs) => request.destroy(timedOut(what, limitMs)))
    const unlink = destroyedBy(signals, request)
    request.once('socket', (socket) => {
      if (!isConnecting(socket)) return sendBody(request, body, limits, timer)
      timer.start('no connection', limits.connectTimeoutMs)
      const event = url.protocol === 'https:' ? 'secureConnect' : 'connect'
      socket.once(event, () => sendBody(request, body, limits, timer))
    })
    let isAnswered = false
    request.once('response', (stream) => {
      isAnswered = true
      timer.stop()
      ask.alive?.()
      // what was not sent by now will not be: the connection cannot be used again
      if (!request.writableFinished) stream.once('end', () => request.destroy())
      resolve({ status: stream.statusCode ?? 0, headers: stream.headers, stream })
    })
    // stays: an error between the answer and the first read must find a listener
    request.on('error', (error) => {
      const stopped = signals.find((each) => each.aborted)
      if (stopped) reject(stopped.reason as Error)
      else if (!isAnswered && isStale(request, error, method)) resolve(exchanged(ask, agent, limits, closing))
      else reject(transportError(error))
    })
    request.once('close', () => {
      timer.stop()
      unlink()
    })
  })
}

function isConnecting(socket: Socket): boolean {
  return socket.connecting || ('secureConnecting' in socket && socket.secureConnecting === true)
}

/** Slice by slice, so that a slow line can be told from a dead one. Ends early when the answer is there. */
function sendBody(request: ClientRequest, body: Uint8Array | undefined, limits: Limits, timer: Stopwatch): void {
  const size = body?.byteLength ?? 0
  let at = 0
  let isAnswered = false
  request.once('response', () => {
    isAnswered = true
  })
  const next = (): void => {
    if (request.destroyed || isAnswered) return
    if (body === undefined || at === size) {
      timer.start('no answer', limits.responseTimeoutMs)
      request.end()
      return
    }
    timer.start('no bytes sent', limits.idleTimeoutMs)
    const slice = body.subarray(at, at + SLICE)
    at += slice.byteLength
    request.write(slice, (error) => {
      if (!error) next()
    })
  }
  next()
}

/**
 * A server may close a kept connection just as it is used again; there are only so many of them, a new one is never
 * reused. Requests that are not idempotent are not repeated (RFC 9112 §9.3.1): uploads ask where they stand first.
 */
function isStale(request: ClientRequest, error: Error, method: Ask['method']): boolean {
  const isRepeatable = method === 'GET' || method === 'DELETE'
  return isRepeatable && request.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(codeOf(error) ?? '')
}

/** Follows the body of the answer as well: a request closes when its answer has been read. */
function destroyedBy(signals: readonly AbortSignal[], request: ClientRequest): () => void {
  const stop = (): void => void request.destroy(failure('closed', 'stopped', {}))
  for (const each of signals) each.addEventListener('abort', stop, { once: true })
  return () => {
    for (const each of signals) each.removeEventListener('abort', stop)
  }
}

interface Stopwatch {
  start(what: string, limitMs: number): void
  stop(): void
}

/**
 * One wait at a time. Its timer is set before the caller is told, so that of two equal limits this one ends first, and
 * what comes too late is a try that failed rather than a store that fell silent.
 */
function stopwatch(caller: Caller, late: (what: string, limitMs: number) => void): Stopwatch {
  let timer: NodeJS.Timeout | undefined
  const stop = (): void => clearTimeout(timer)
  return {
    start(what, limitMs) {
      stop()
      timer = setTimeout(() => {
        caller.alive?.()
        late(what, limitMs)
      }, limitMs)
      caller.alive?.()
    },
    stop,
  }
}
