import type { FastifyReply, FastifyRequest } from 'fastify'
import { isMullionError } from 'mullion'
import type { Image, ImageQuery } from 'mullion/images'
import { actorOf } from '../plugins/actor.ts'
import { enforce, findVisible } from './access.ts'
import { sendJson } from './answer.ts'
import type { V1 } from './context.ts'
import { imageBrief, imageDetail } from './document.ts'
import { readListQuery, unknownMarker } from './list-query.ts'

/** GET /images */
export function listImages(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  return list(v1, request, reply, imageBrief)
}

/** GET /images/detail */
export function listDetails(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  return list(v1, request, reply, imageDetail)
}

async function list(
  v1: V1,
  request: FastifyRequest,
  reply: FastifyReply,
  show: (image: Image) => object,
): Promise<FastifyReply> {
  const actor = actorOf(request)
  await enforce(v1, 'get_images', actor)
  const at = request.url.indexOf('?')
  const query = readListQuery(at < 0 ? '' : request.url.slice(at + 1), actor, v1.settings)
  if (query?.marker !== undefined && !(await findVisible(v1, actor, query.marker))) throw unknownMarker()
  const images = query ? await page(v1, query) : []
  return sendJson(reply, 200, 'application/json; charset=UTF-8', { images: images.map(show) })
}

async function page({ ports }: V1, query: ImageQuery): Promise<readonly Image[]> {
  try {
    return await ports.images.list(query)
  } catch (error) {
    throw isMullionError(error, 'invalid_argument') && query.marker !== undefined ? unknownMarker() : error
  }
}
