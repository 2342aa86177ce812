import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Actor, Image } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { actorOf } from '../plugins/actor.ts'
import { guardProperties } from '../protections/apply.ts'
import { enforce, findVisible, loadVisible, noSuchImage } from './access.ts'
import type { V1 } from './context.ts'
import { sendData } from './data.ts'
import { writeImageHeaders } from './headers.ts'

/** HEAD /images/{id}: the record as headers, in whatever status it is. */
export async function headImage(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { id } = request.params as { readonly id: string }
  const actor = actorOf(request)
  await enforce(v1, 'get_image', actor)
  const image = await readable(v1, actor, await loadVisible(v1, actor, id))
  return reply.headers(Object.fromEntries(writeImageHeaders(image))).send()
}

/** GET /images/{id}: the record as headers and its data. */
export async function getImage(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { id } = request.params as { readonly id: string }
  const actor = actorOf(request)
  await enforce(v1, 'get_image', actor)
  const image = await readable(v1, actor, await loadReadable(v1, actor, id))
  return sendData(v1, image, request, reply)
}

function readable({ ports }: V1, actor: Actor, image: Image): Promise<Image> {
  return guardProperties(ports.protections, actor).readable(image)
}

/** Who may not download at all learns nothing else about the image, not even that there is none. */
async function loadReadable(v1: V1, actor: Actor, id: string): Promise<Image> {
  const image = await findVisible(v1, actor, id)
  if (!image) {
    await enforce(v1, 'download_image', actor)
    throw noSuchImage(id)
  }
  if (image.status === 'deactivated') throw new ApiError(403, `Image ${id} is deactivated`)
  await enforce(v1, 'download_image', actor, image)
  if (image.status !== 'active') throw new ApiError(404, `Image ${id} is not active`)
  return image
}
