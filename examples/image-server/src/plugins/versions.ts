import type { IncomingMessage } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { forwardedPrefix } from './forwarded.ts'

const MEDIA_TYPE = 'application/vnd.openstack.images-'
const V1_TOKENS: ReadonlySet<string> = new Set(['v1', 'v1.0', 'v1.1'])
const ALL = '/versions'
const CHOOSE = '/'

/**
 * Where a request goes: the path below `/v1`, or one of two paths that answer the list of versions. The version is
 * the first segment of the path, unless `Accept` names one; then the path is left alone.
 */
export function negotiateVersion({
  url = '/',
  headers: { accept = '' },
}: Pick<IncomingMessage, 'url' | 'headers'>): string {
  const path = url.replace(/^https?:\/\/[^/?]*/i, '').replace(/^\/+/, '')
  const [, first = '', rest = ''] = /^([^/?]*)(.*)$/s.exec(path) ?? []
  if (first === 'versions') return ALL
  const byHeader = accept.startsWith(MEDIA_TYPE)
  const token = byHeader ? accept.slice(MEDIA_TYPE.length) : first
  if (!V1_TOKENS.has(token)) return CHOOSE
  return byHeader ? `/v1/${path}` : `/v1${rest}`
}

/** Answers the list of versions: 200 to who asked for it, 300 to who has to choose. */
export function answerVersions(
  publicEndpoint: string | undefined,
): (request: FastifyRequest, reply: FastifyReply) => void {
  return (request, reply) => {
    const href = `${publicEndpoint?.replace(/\/+$/, '') ?? requestOrigin(request)}/v1/`
    const versions = ['v1.1', 'v1.0'].map((id) => ({ id, status: 'DEPRECATED', links: [{ rel: 'self', href }] }))
    reply
      .code(request.url === ALL ? 200 : 300)
      .type('application/json')
      .send(Buffer.from(JSON.stringify({ versions })))
  }
}

/** Scheme, host and port under which the client reached the server, and the path where a proxy has put it. */
export function requestOrigin(request: FastifyRequest): string {
  const { protocol, host, socket } = request
  return `${protocol}://${host === '' ? `${socket.localAddress}:${socket.localPort}` : host}${forwardedPrefix(request)}`
}
