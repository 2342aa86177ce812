import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import type { Ports } from 'mullion/images'
import { answerError, ApiError } from '../errors.ts'
import { identifyActors } from '../plugins/actor.ts'
import { passBodies } from '../plugins/octet-stream.ts'
import { requestOrigin } from '../plugins/versions.ts'
import type { ServerPorts, V1, V1Settings } from './context.ts'
import { createImage } from './create.ts'
import { listDetails, listImages } from './list.ts'
import { listMembers, listShared, putMember, removeMember, replaceMembers } from './members.ts'
import { removeImage } from './remove.ts'
import { getImage, headImage } from './show.ts'
import { updateImage } from './update.ts'

export interface ImagesV1Options {
  readonly ports: Ports & ServerPorts
  readonly settings: V1Settings
}

type Action = (v1: V1, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>

const ROUTES: readonly (readonly [method: HTTPMethods, url: string, action: Action])[] = [
  ['GET', '/', listImages],
  ['GET', '/images', listImages],
  ['POST', '/images', createImage],
  ['GET', '/images/detail', listDetails],
  ['HEAD', '/images/detail', () => refuse('GET')],
  ['PUT', '/images/detail', () => refuse('GET, HEAD')],
  ['DELETE', '/images/detail', () => refuse('GET, HEAD')],
  ['HEAD', '/images/:id', headImage],
  ['GET', '/images/:id', getImage],
  ['PUT', '/images/:id', updateImage],
  ['DELETE', '/images/:id', removeImage],
  ['GET', '/images/:id/members', listMembers],
  ['PUT', '/images/:id/members', replaceMembers],
  ['GET', '/images/:id/members/:member', () => Promise.reject(new ApiError(405))],
  ['PUT', '/images/:id/members/:member', putMember],
  ['DELETE', '/images/:id/members/:member', removeMember],
  ['GET', '/shared-images/:member', listShared],
]

/** The methods of the paths above, for those who come with another. */
const ALLOWED: readonly (readonly [path: RegExp, allow: string])[] = [
  [/^\/$/, 'GET'],
  [/^\/images$/, 'GET, POST'],
  [/^\/images\/detail$/, 'GET, HEAD'],
  [/^\/images\/[^/]+$/, 'GET, HEAD, PUT, DELETE'],
  [/^\/images\/[^/]+\/members$/, 'GET, PUT'],
  [/^\/images\/[^/]+\/members\/[^/]+$/, 'GET, PUT, DELETE'],
  [/^\/shared-images\/[^/]+$/, 'GET'],
]
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH'])

/** The Images API v1 as a plugin. Register it with a prefix; the paths in its answers say `/v1` whatever that is. */
export async function imagesV1(app: FastifyInstance, { ports, settings }: ImagesV1Options): Promise<void> {
  const v1: V1 = { ports, settings }
  app.setErrorHandler(answerError)
  passBodies(app)
  identifyActors(app, settings)
  app.setNotFoundHandler((request) => {
    throw noRoute(request, app.prefix)
  })
  app.all('', { prefixTrailingSlash: 'no-slash' }, (request, reply) =>
    reply.redirect(`${requestOrigin(request)}/v1/`, 302),
  )
  app.options('/*', (request) => {
    throw noRoute(request, app.prefix) // for whoever is no preflight, where an application answers those
  })
  for (const [method, url, action] of ROUTES) {
    app.route({
      method,
      url,
      prefixTrailingSlash: 'slash',
      exposeHeadRoute: false,
      handler(request, reply) {
        // the router takes nothing for a segment, too
        if (Object.values(request.params as object).includes('')) throw noRoute(request, app.prefix)
        return action(v1, request, reply)
      },
    })
  }
}

function refuse(allow: string): Promise<never> {
  return Promise.reject(methodNotAllowed(allow))
}

function methodNotAllowed(allow: string): ApiError {
  return new ApiError(405, '', { headers: { allow } })
}

function noRoute({ url, method }: FastifyRequest, prefix: string): ApiError {
  const path = url.slice(prefix.length).replace(/\?.*$/s, '')
  const allow = ALLOWED.find(([pattern]) => pattern.test(path))?.[1]
  if (allow !== undefined) return methodNotAllowed(allow)
  return new ApiError(METHODS.has(method) ? 404 : 501)
}
