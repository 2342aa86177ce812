import type { FastifyReply } from 'fastify'
import type { Image } from 'mullion/images'
import { imageDetail } from './document.ts'
import { writeImageHeaders } from './headers.ts'

/** Answers JSON as octets: Node writes the headers of a text body as UTF-8, which would encode theirs twice. */
export function sendJson(reply: FastifyReply, status: number, type: string, value: unknown): FastifyReply {
  return reply
    .code(status)
    .header('content-type', type)
    .send(Buffer.from(JSON.stringify(value)))
}

/** Answers one image, with its checksum as entity tag. */
export function sendImage(reply: FastifyReply, status: number, image: Image): FastifyReply {
  const etag = writeImageHeaders(image).find(([name]) => name === 'etag')
  if (etag) reply.header(...etag)
  return sendJson(reply, status, 'application/json', { image: imageDetail(image) })
}
