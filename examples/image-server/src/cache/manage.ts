import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { isMullionError } from 'mullion'
import { answerError, ApiError } from '../errors.ts'
import { actorOf, identifyActors } from '../plugins/actor.ts'
import { passBodies } from '../plugins/octet-stream.ts'
import { enforce, refuseReadOnly } from '../v1/access.ts'
import { sendJson } from '../v1/answer.ts'
import type { V1 } from '../v1/context.ts'
import { isUuidLike } from '../v1/values.ts'
import type { CachedImage, ImageCache } from './port.ts'

export interface CacheManagementOptions extends V1 {
  readonly cache: ImageCache
}

type Action = (cache: ImageCache, id: string) => unknown

/** What each request answers with; other methods and paths are none of this API (glance/api/middleware/cache_manage.py). */
const ROUTES: readonly (readonly [method: HTTPMethods, url: string, action: Action])[] = [
  ['GET', '/cached_images', (cache) => ({ cached_images: cache.cached().map(document) })],
  ['DELETE', '/cached_images', async (cache) => ({ num_deleted: await cache.clear() })],
  ['DELETE', '/cached_images/:id', (cache, id) => cache.purge(id)],
  ['GET', '/queued_images', (cache) => ({ queued_images: cache.queued() })],
  ['DELETE', '/queued_images', (cache) => ({ num_deleted: cache.clearQueue() })],
  ['PUT', '/queued_images/:id', enqueue],
  ['DELETE', '/queued_images/:id', (cache, id) => cache.dequeue(id)],
]

/** The management of the image cache as a plugin. Register it with the prefix of the API that it belongs to. */
export async function cacheManagement(app: FastifyInstance, options: CacheManagementOptions): Promise<void> {
  app.setErrorHandler(answerError)
  passBodies(app)
  identifyActors(app, options.settings)
  for (const [method, url, action] of ROUTES) {
    app.route({
      method,
      url,
      exposeHeadRoute: false,
      handler: (request, reply) => act(options, action, request, reply),
    })
  }
}

async function act(
  { cache, ...v1 }: CacheManagementOptions,
  action: Action,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const actor = actorOf(request)
  if (request.method !== 'GET') refuseReadOnly(actor)
  await enforce(v1, 'manage_image_cache', actor)
  const { id } = request.params as { readonly id?: string }
  if (id !== undefined && !isUuidLike(id)) throw new ApiError(400, 'Invalid image id format')
  return sendJson(reply, 200, 'application/json', (await action(cache, id ?? '')) ?? null)
}

function enqueue(cache: ImageCache, id: string): void {
  try {
    cache.enqueue(id)
  } catch (error) {
    if (!isMullionError(error, 'too_large')) throw error
    const text = `The limit has been exceeded on the number of queued images. Maximum: ${error.details.limit}`
    throw new ApiError(413, text, { cause: error })
  }
}

function document({ imageId, hits, lastAccessed, lastModified, size }: CachedImage): object {
  return {
    image_id: imageId,
    hits,
    last_accessed: lastAccessed.getTime() / 1000,
    last_modified: lastModified.getTime() / 1000,
    size,
  }
}
