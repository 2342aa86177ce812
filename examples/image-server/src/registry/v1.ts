import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import { ApiError } from '../errors.ts'
import { actorOf, identifyActors } from '../plugins/actor.ts'
import { parseJson } from './body.ts'
import { type Registry, requireService } from './context.ts'
import { answerRegistryError, invalid } from './errors.ts'
import { createImage, removeImage, showImage, updateImage } from './images.ts'
import { listDetails, listImages } from './list.ts'
import { listMembers, listShared, putMember, removeMember, replaceMembers } from './members.ts'
import { sendDocument } from './send.ts'
import { actOnTasks, listTasks, TASK_ACTIONS } from './tasks.ts'

type Action = (registry: Registry, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>

/** glance/registry/api/v1/__init__.py; the last two are ours. */
const ROUTES: readonly (readonly [method: HTTPMethods | 'ANY', url: string, action: Action])[] = [
  ['ANY', '/', listImages],
  ['GET', '/images', listImages],
  ['GET', '/images/detail', listDetails],
  ['POST', '/images', createImage],
  ['GET', '/images/:id', showImage],
  ['PUT', '/images/:id', updateImage],
  ['DELETE', '/images/:id', removeImage],
  ['GET', '/images/:id/members', listMembers],
  ['POST', '/images/:id/members', refuseMethod],
  ['PUT', '/images/:id/members', replaceMembers],
  ['GET', '/images/:id/members/:member', refuseMethod],
  ['PUT', '/images/:id/members/:member', putMember],
  ['DELETE', '/images/:id/members/:member', removeMember],
  ['ANY', '/shared-images/:member', listShared],
  ['GET', '/usage', showUsage],
  ['GET', '/tasks', listTasks],
]

/** The registry of Glance's Images v1 as a plugin: records over REST, for servers and not for their users. */
export async function registryV1(app: FastifyInstance, registry: Registry): Promise<void> {
  app.setErrorHandler(answerRegistryError)
  parseJson(app)
  identifyActors(app, registry.settings)
  app.setNotFoundHandler(() => {
    throw new ApiError(404)
  })
  for (const [method, url, action] of ROUTES) {
    const handler = (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
      action(registry, request, reply)
    if (method === 'ANY') app.all(url, { exposeHeadRoute: false }, handler)
    else app.route({ method, url, exposeHeadRoute: false, handler })
  }
  for (const [path, action] of TASK_ACTIONS) {
    app.post(`/tasks${path}`, (request, reply) => actOnTasks(action, registry, request, reply))
  }
}

/** Glance names these two whatever was asked for. */
function refuseMethod(): Promise<never> {
  return Promise.reject(new ApiError(405, '', { headers: { allow: 'PUT, DELETE' } }))
}

async function showUsage({ ports }: Registry, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  requireService(actorOf(request))
  const { owner, except } = request.query as { readonly owner?: unknown; readonly except?: unknown }
  if (typeof owner !== 'string') throw invalid('owner', 'owner is required')
  const usage = await ports.images.usage(owner, typeof except === 'string' ? { except } : {})
  return sendDocument(reply, { usage })
}
