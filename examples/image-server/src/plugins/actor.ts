import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Actor } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { decodeOctets } from './octets.ts'
import { checkRequestId } from './request-id.ts'

export interface ActorSettings {
  /** `none`: nobody is asked who they are. `trusted`: the identity headers are believed; a proxy must have set them. */
  readonly auth: 'none' | 'trusted'
  /** With `none`: every request acts as an administrator without owner; otherwise requests may only read. */
  readonly allowAnonymousWrites: boolean
  /** With `trusted`: requests without a confirmed identity may read instead of getting 401. */
  readonly allowAnonymousAccess: boolean
  /** Whether the tenant owns what is created; otherwise the user does. */
  readonly ownerIsTenant: boolean
  /** Compared in lower case. */
  readonly adminRole: string
  /** Characters of the client's request id; 0 for no limit. */
  readonly maxRequestIdLength: number
}

const DECORATOR = 'actor'

/** Gives every request of `app` an actor and every answer the request's id. Requests without an identity end here. */
export function identifyActors(app: FastifyInstance, settings: ActorSettings): void {
  app.decorateRequest(DECORATOR, null)
  app.addHook('onRequest', async (request, reply) => {
    request.setDecorator(DECORATOR, actorFrom(request.headers, settings))
    if (settings.auth === 'trusted') checkRequestId(request.raw, settings.maxRequestIdLength)
    reply.header('x-openstack-request-id', request.id)
  })
}

/** Who sent the request. */
export function actorOf(request: FastifyRequest): Actor {
  return request.getDecorator<Actor>(DECORATOR)
}

/** Throws 401 without a confirmed identity, 400 for a broken service catalog. */
export function actorFrom(headers: IncomingHttpHeaders, settings: ActorSettings): Actor {
  if (settings.auth === 'none') return settings.allowAnonymousWrites ? UNAUTHENTICATED : ANONYMOUS
  if (headers['x-identity-status'] !== 'Confirmed') {
    if (settings.allowAnonymousAccess) return ANONYMOUS
    throw new ApiError(401)
  }
  checkCatalog(first(headers, ['x-service-catalog']))
  const user = first(headers, ['x-user-id', 'x-user'])
  const tenant = first(headers, ['x-project-id', 'x-tenant-id', 'x-tenant'])
  const roles = (first(headers, ['x-roles', 'x-role']) ?? '').split(',').map((role) => role.trim().toLowerCase())
  return {
    user,
    owner: settings.ownerIsTenant ? tenant : user,
    roles: roles.filter((role) => role !== ''),
    admin: roles.includes(settings.adminRole.toLowerCase()),
    readOnly: false,
  }
}

const ANONYMOUS: Actor = { user: undefined, owner: undefined, roles: [], admin: false, readOnly: true }
const UNAUTHENTICATED: Actor = { ...ANONYMOUS, admin: true, readOnly: false }

/** Only the spelling with hyphens: a proxy that strips `X-Roles` may let `X_Roles` pass. */
function first(headers: IncomingHttpHeaders, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = headers[name]
    if (typeof value === 'string') return decodeOctets(value)
  }
  return undefined
}

function checkCatalog(text: string | undefined): void {
  if (text === undefined) return
  try {
    JSON.parse(text)
  } catch (cause) {
    throw new ApiError(400, 'Invalid service catalog json.', { cause })
  }
}
