import { createServer, type RequestListener, type Server, type ServerOptions, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { ApiError } from '../errors.ts'
import { holdContinue } from './body.ts'

const MAX_HEADER_SIZE = 65_536 // octets of all header lines together
const MAX_REQUEST_LINE = 8_192

/** Milliseconds for all headers of a request, and between two looks at the clock. */
export type HeaderTimes = Required<Pick<ServerOptions, 'headersTimeout' | 'connectionsCheckingInterval'>>

const HEADER_TIMES: HeaderTimes = { headersTimeout: 60_000, connectionsCheckingInterval: 30_000 }

/**
 * A server for long uploads: no limit on the time of a whole request (the body has an idle limit of its own), idle
 * connections kept for longer than proxies keep theirs, and no `100 Continue` before the body is wanted.
 */
export function createHttpServer(handler: RequestListener, limits: HeaderTimes = HEADER_TIMES): Server {
  const handle: RequestListener = (request, response) => {
    answering.set(request.socket, response)
    handler(request, response)
  }
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_SIZE, requestTimeout: 0, keepAliveTimeout: 75_000, ...limits },
    handle,
  )
  server.maxHeadersCount = 0 // the octets are limited; Node would drop the headers after the first 2000 silently
  return server.on('checkContinue', (request, response) => {
    holdContinue(request)
    handle(request, response)
  })
}

/** Closing a server closes the connections that are idle then; those that are busy follow after their answer. */
export function closeConnectionsInTurn(app: FastifyInstance): void {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onResponse', async () => {
    if (closing) setImmediate(() => app.server.closeIdleConnections())
  })
}

/** The answer under way on a connection, if any. */
const answering = new WeakMap<Socket, ServerResponse>()

/**
 * Answers what is no HTTP. A request whose body breaks off ends with its connection; one that arrived completely is
 * answered first, whatever nonsense follows it.
 */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const response = answering.get(socket)
  if (response?.req.complete && !response.writableFinished) {
    response.shouldKeepAlive = false
    response.once('close', () => socket.destroySoon())
    return
  }
  const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? '408 Request Timeout' : '400 Bad Request'
  if (socket.writable && socket.bytesWritten === 0) {
    socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
  }
  socket.destroySoon()
}

/** Refuses request lines and header lines that are too long, and bodies whose framing is not understood. */
export function limitRequests(app: FastifyInstance, maxHeaderLine: number): void {
  app.addHook('onRequest', async ({ raw, originalUrl }) => {
    const { method = '', rawHeaders, headers } = raw
    if (method.length + originalUrl.length + ' HTTP/1.1 '.length > MAX_REQUEST_LINE) throw refusal(414)
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const octets = (rawHeaders[at] ?? '').length + (rawHeaders[at + 1] ?? '').length + ': \r\n'.length
      if (octets > maxHeaderLine) throw refusal(400)
    }
    checkHost(rawHeaders)
    const coding = headers['transfer-encoding']
    // RFC 9112 §6.1: a transfer coding that is not understood
    if (coding !== undefined && coding.toLowerCase() !== 'chunked')
      throw new ApiError(501, `Transfer-Encoding: ${coding}`)
    if (!Number.isSafeInteger(Number(headers['content-length'] ?? 0))) throw refusal(400)
  })
}

const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

/** RFC 9112 §3.2: 400 for a Host that is repeated or no host. Links in answers are made of it. */
function checkHost(rawHeaders: readonly string[]): void {
  const hosts = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'host')
  const [host = ''] = hosts
  if (hosts.length > 1 || (host !== '' && !HOST.test(host))) throw refusal(400)
}

function refusal(status: number): ApiError {
  return new ApiError(status, '', { bare: true, headers: { connection: 'close' } })
}
