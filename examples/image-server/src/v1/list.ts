import type { FastifyReply, FastifyRequest } from 'fastify'
import { isMullionError } from 'mullion'
import type { Image, ImageQuery } from 'mullion/images'
import { actorOf } from '../plugins/actor.ts'
import { type GuardedProperties, guardProperties } from '../protections/apply.ts'
import { enforce, findVisible } from './access.ts'
import { sendList } from './answer.ts'
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
  const guarded = guardProperties(v1.ports.protections, actor)
  const images = query ? await page(v1, query, guarded) : []
  return sendList(reply, 'images', images, show)
}

/** A property that may not be read is one that no image has: filters would tell its values one by one. */
async function page({ ports }: V1, query: ImageQuery, guarded: GuardedProperties): Promise<readonly Image[]> {
  if (!(await guarded.mayRead(query.filters.properties?.keys() ?? []))) return []
  try {
    const images = await ports.images.list(query)
    const shown: Image[] = []
    for (const image of images) shown.push(await guarded.readable(image))
    return shown
  } catch (error) {
    throw isMullionError(error, 'invalid_argument') && query.marker !== undefined ? unknownMarker() : error
  }
}
