import type { FastifyReply } from 'fastify'

/** Answers JSON as Glance's registry labels it. */
export function sendDocument(reply: FastifyReply, document: object): FastifyReply {
  return reply
    .code(200)
    .header('content-type', 'application/json; charset=UTF-8')
    .send(Buffer.from(JSON.stringify(document)))
}
