import type { ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ByteStream, type GetResult, isMullionError } from 'mullion'
import { type Image, openData, publicImage } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { actorOf } from '../plugins/actor.ts'
import { ClientDisconnected } from '../plugins/body.ts'
import { bodyCoder } from '../plugins/gzip.ts'
import type { V1 } from './context.ts'
import { writeImageHeaders } from './headers.ts'
import { beginTransfer, ServerStopped } from './transfer.ts'

/**
 * Streams the data of an image. Once the first byte is sent nothing but breaking the connection tells the client of a
 * failure, so that is what happens when the store fails or delivers another number of bytes than was announced.
 */
export async function sendData(
  v1: V1,
  image: Image,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  using transfer = beginTransfer(v1.ports, 'download')
  reply.raw.once('close', () =>
    transfer.abort(new ClientDisconnected(undefined, 'the client left before it had all data')),
  )
  reply.raw.setTimeout(v1.settings.idleTimeoutMs, () => reply.raw.destroy())
  const data = await open(v1, image, transfer.signal)
  transfer.signal.addEventListener('abort', () => reply.raw.destroy())
  const length = data ? (data.size ?? (image.size || undefined)) : 0
  reply.hijack()
  writeHead(reply, image, length)
  const coder = bodyCoder(request.raw, reply.raw)
  const sent = { bytes: 0 }
  let failure: string | undefined
  try {
    const body = counted(data?.body ?? nothing(), length, sent)
    await (coder ? pipeline(body, coder, reply.raw) : pipeline(body, reply.raw))
  } catch (thrown) {
    const error: unknown = transfer.signal.aborted ? transfer.signal.reason : thrown
    failure = error instanceof Error ? error.message : String(error)
    const level = transfer.signal.aborted ? 'info' : 'error'
    request.log[level]({ err: error, imageId: image.id, bytesSent: sent.bytes }, 'image data not sent completely')
  } finally {
    await data?.[Symbol.asyncDispose]()
  }
  tell(v1, image, request, { bytesSent: sent.bytes, failure })
  return reply
}

type Data = Pick<GetResult, 'body' | 'size'> & AsyncDisposable

/** An empty image has no location; whatever has one is asked for, whatever size the record says. */
async function open({ ports }: V1, image: Image, signal: AbortSignal): Promise<Data | undefined> {
  if (!image.size && !image.locations.some(({ status }) => status === 'active')) return undefined
  try {
    const cached = await ports.cache?.open(image, (options) => openData(ports, image, options), signal)
    return cached ?? (await openData(ports, image, { signal }))
  } catch (error) {
    throw readFailure(image.id, error)
  }
}

function readFailure(id: string, error: unknown): unknown {
  const init = { cause: error }
  if (error instanceof ServerStopped) return new ApiError(503, error.message, init)
  if (!isMullionError(error)) return error
  switch (error.code) {
    case 'size_mismatch':
      return new ApiError(500, '', init)
    case 'not_found':
      return new ApiError(404, `Image ${id} not found`, init)
    case 'unavailable':
    case 'timeout':
    case 'rate_limited':
      return new ApiError(503, 'Remote server where the image is present is unavailable.', init)
    case 'unsupported':
    case 'permission_denied':
    case 'unauthenticated':
      return new ApiError(400, `Image ${id} cannot be read from its store.`, init)
    default:
      return error
  }
}

function writeHead(reply: FastifyReply, image: Image, length: number | undefined): void {
  const response: ServerResponse = reply.raw
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) response.setHeader(name, value)
  for (const [name, value] of writeImageHeaders(image, length)) response.setHeader(name, value)
  response.setHeader('content-type', 'application/octet-stream')
  if (length !== undefined) response.setHeader('content-length', length)
}

async function* counted(
  body: ByteStream,
  length: number | undefined,
  sent: { bytes: number },
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of body) {
    if (length !== undefined && sent.bytes + chunk.byteLength > length)
      throw new Error(`more than ${length} bytes in the store`)
    yield chunk
    sent.bytes += chunk.byteLength
  }
  if (length !== undefined && sent.bytes !== length) throw new Error(`${sent.bytes} of ${length} bytes in the store`)
}

async function* nothing(): AsyncGenerator<Uint8Array, void> {}

function tell(
  { ports }: V1,
  image: Image,
  request: FastifyRequest,
  outcome: { readonly bytesSent: number; readonly failure: string | undefined },
): void {
  const { tenant, user } = actorOf(request)
  if (!ports.dataSent) {
    ports.notifier.notify('send', publicImage(image), outcome.failure)
    return
  }
  ports.dataSent({ image, ...outcome, receiverTenant: tenant, receiverUser: user, destinationIp: request.ip })
}
