import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline, Readable, type Transform } from 'node:stream'
import { promisify } from 'node:util'
import { constants, createGzip, gzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply } from 'fastify'

const compress = promisify(gzip)
const BODYLESS: ReadonlySet<number> = new Set([204, 304])

/** Codes the bodies of answers for clients that ask for it. Empty bodies, and answers to HEAD, stay as they are. */
export function codeBodies(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ raw }, reply) => {
    reply.header('vary', varyBy(reply.getHeader('vary')))
    if (acceptsGzip(raw.headers['accept-encoding'])) asked.add(raw)
  })
  app.addHook('onSend', async (request, reply, payload) => {
    if (!asked.has(request.raw) || request.method === 'HEAD' || !isCodable(reply)) return payload
    if (payload instanceof Readable) return codeStream(payload, reply)
    if (!(typeof payload === 'string' || Buffer.isBuffer(payload)) || payload.length === 0) return payload
    const coded = await compress(payload)
    reply.header('content-encoding', 'gzip').header('content-length', coded.length)
    return coded
  })
}

/**
 * What codes the body of an answer that is written past Fastify, undefined when it goes out as it is. Its length is not
 * known beforehand, so the header goes; `ETag` and checksums stay those of the data. The caller puts it into a pipeline.
 */
export function bodyCoder(request: IncomingMessage, response: ServerResponse): Transform | undefined {
  if (!asked.has(request) || response.getHeader('content-length') === 0) return undefined
  response.removeHeader('content-length')
  response.setHeader('content-encoding', 'gzip')
  return createGzip({ level: constants.Z_BEST_SPEED }) // disk images: better compression costs more time than it saves
}

function codeStream(payload: Readable, reply: FastifyReply): Readable {
  reply.removeHeader('content-length').header('content-encoding', 'gzip')
  return pipeline(payload, createGzip(), () => {}) // whoever ends early takes the other along; Fastify hears of it from the coder
}

const asked = new WeakSet<IncomingMessage>()

/** The word, unless its weight is 0 (RFC 9110 §12.5.3); `*` does not mean it, as in Glance. */
function acceptsGzip(header: string | string[] | undefined): boolean {
  const codings = String(header ?? '').split(',')
  return codings.some((coding) => {
    const [name = '', ...parameters] = coding.split(';').map((part) => part.trim().toLowerCase())
    return name === 'gzip' && !parameters.some((parameter) => /^q\s*=\s*0(?:\.0*)?$/.test(parameter))
  })
}

function isCodable(reply: FastifyReply): boolean {
  return !BODYLESS.has(reply.statusCode) && !reply.hasHeader('content-encoding')
}

function varyBy(present: number | string | readonly string[] | undefined): string {
  const names = present === undefined ? [] : [present].flat().map(String)
  return [...names, 'Accept-Encoding'].join(', ')
}
