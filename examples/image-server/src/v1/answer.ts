import { Readable } from 'node:stream'
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

/** Answers `{"key":[…]}`. What is longer than a piece is never one text: it goes out piece by piece, without a length. */
export function sendList<T>(
  reply: FastifyReply,
  key: string,
  items: Iterable<T>,
  show: (item: T) => object,
): FastifyReply {
  const pieces = listPieces(key, items, show)
  const first = pieces.next().value
  const second = pieces.next().value
  reply.code(200).header('content-type', 'application/json; charset=UTF-8')
  return reply.send(second ? Readable.from(following([first, second], pieces)) : first)
}

const PIECE = 65_536 // characters

function* listPieces<T>(key: string, items: Iterable<T>, show: (item: T) => object): Generator<Buffer, void> {
  let text = `{${JSON.stringify(key)}:[`
  let separator = ''
  for (const item of items) {
    text += separator + JSON.stringify(show(item))
    separator = ','
    if (text.length < PIECE) continue
    yield Buffer.from(text)
    text = ''
  }
  yield Buffer.from(`${text}]}`)
}

function* following<T>(first: Iterable<T>, rest: Iterable<T>): Generator<T, void> {
  yield* first
  yield* rest
}

/** Answers one image, with its checksum as entity tag. */
export function sendImage(reply: FastifyReply, status: number, image: Image): FastifyReply {
  const etag = writeImageHeaders(image).find(([name]) => name === 'etag')
  if (etag) reply.header(...etag)
  return sendJson(reply, status, 'application/json', { image: imageDetail(image) })
}
