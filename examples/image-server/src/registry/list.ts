import type { FastifyReply, FastifyRequest } from 'fastify'
import { isMullionError } from 'mullion'
import { canSee, type Image, type ImageQuery } from 'mullion/images'
import { type Caller, callerOf, type Registry } from './context.ts'
import { briefDocument, imageDocument } from './document.ts'
import { invalid } from './errors.ts'
import { readListQuery } from './list-query.ts'
import { sendDocument } from './send.ts'

export async function listImages(
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { images } = await listed(registry, request)
  return sendDocument(reply, { images: images.map(briefDocument) })
}

export async function listDetails(
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { images, caller, query } = await listed(registry, request)
  return sendDocument(reply, { images: images.map((image) => imageDocument(image, caller, query.includeDeleted)) })
}

interface ListedImages {
  readonly images: readonly Image[]
  readonly caller: Caller
  readonly query: ImageQuery
}

async function listed(registry: Registry, request: FastifyRequest): Promise<ListedImages> {
  const caller = callerOf(request)
  const parameters = new URLSearchParams(/\?(.*)$/s.exec(request.originalUrl)?.[1] ?? '')
  const query = readListQuery(parameters, caller, registry.settings)
  if (query.marker !== undefined && !caller.actor.admin) await checkMarker(registry, caller, query.marker)
  try {
    return { images: await registry.ports.images.list(query), caller, query }
  } catch (error) {
    if (isMullionError(error, 'invalid_argument') && error.details.name === 'marker') throw unknownMarker()
    throw error
  }
}

async function checkMarker({ ports }: Registry, { actor }: Caller, id: string): Promise<void> {
  const image = await ports.images.get(id).catch((error: unknown) => {
    if (!isMullionError(error, 'not_found')) throw error
  })
  if (!image || !(await canSee(ports, actor, image))) throw unknownMarker()
}

function unknownMarker(): Error {
  return invalid('marker', 'Invalid marker. Image could not be found.')
}
