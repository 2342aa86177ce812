import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Actor } from 'mullion/images'
import { type Authenticator, dropIdentity, type Identity } from '../auth/identity.ts'
import { trustedHeaders } from '../auth/trusted.ts'
import { ApiError } from '../errors.ts'
import type { AdminRule } from '../policy/policy.ts'
import { ClientDisconnected } from './body.ts'
import { checkRequestId } from './request-id.ts'

export interface ActorSettings {
  /**
   * `none`: nobody is asked who they are. `trusted`: the identity headers are believed; a proxy must have set them.
   * Otherwise whoever is asked about a request; `buildApp` closes it with the application.
   */
  readonly auth: 'none' | 'trusted' | Authenticator
  /** With `none`: every request acts as an administrator without owner; otherwise requests may only read. */
  readonly allowAnonymousWrites: boolean
  /** Unless `none`: requests without a confirmed identity may read instead of getting 401. */
  readonly allowAnonymousAccess: boolean
  /** Whether the tenant owns what is created; otherwise the user does. */
  readonly ownerIsTenant: boolean
  /** Compared in lower case. */
  readonly adminRole: string
  /** Makes administrators beside those by role (the rule `context_is_admin`). */
  readonly adminRule?: AdminRule | undefined
  /** Characters of the client's request id; 0 for no limit. */
  readonly maxRequestIdLength: number
}

const DECORATOR = 'actor'

/** Gives every request of `app` an actor and every answer the request's id. Requests without an identity end here. */
export function identifyActors(app: FastifyInstance, settings: ActorSettings): void {
  app.decorateRequest(DECORATOR, null)
  app.addHook('onRequest', async (request, reply) => {
    request.setDecorator(DECORATOR, await actorFrom(request, settings))
    if (settings.auth !== 'none') checkRequestId(request.raw, settings.maxRequestIdLength)
    reply.header('x-openstack-request-id', request.id)
  })
}

/** Who sent the request. */
export function actorOf(request: FastifyRequest): Actor {
  return request.getDecorator<Actor>(DECORATOR)
}

/** The actor that an identity makes; without one, who may read where strangers may. Undefined: nobody. */
export function actorWith(identity: Identity | undefined, settings: ActorSettings): Actor | undefined {
  if (!identity) return settings.allowAnonymousAccess ? ANONYMOUS : undefined
  const { user, tenant } = identity
  const roles = identity.roles.map((role) => role.trim().toLowerCase()).filter((role) => role !== '')
  const isAdmin = roles.includes(settings.adminRole.toLowerCase())
  return {
    user,
    tenant,
    owner: settings.ownerIsTenant ? tenant : user,
    roles,
    admin: isAdmin || (settings.adminRule?.admits({ user, tenant, roles }) ?? false),
    readOnly: false,
  }
}

async function actorFrom({ raw, socket }: FastifyRequest, settings: ActorSettings): Promise<Actor> {
  const { auth, allowAnonymousWrites } = settings
  if (auth !== 'trusted') dropIdentity(raw.headers)
  if (auth === 'none') return allowAnonymousWrites ? UNAUTHENTICATED : ANONYMOUS
  const authenticator = auth === 'trusted' ? trustedHeaders : auth
  const actor = actorWith(await authenticator.identify(raw), settings)
  if (socket.destroyed) throw new ClientDisconnected(undefined, 'the client left before it was known who it is')
  if (actor) return actor
  const challenge = authenticator.challenge(raw)
  throw new ApiError(401, '', challenge === undefined ? {} : { headers: { 'www-authenticate': challenge } })
}

const ANONYMOUS: Actor = {
  user: undefined,
  tenant: undefined,
  owner: undefined,
  roles: [],
  admin: false,
  readOnly: true,
}
const UNAUTHENTICATED: Actor = { ...ANONYMOUS, admin: true, readOnly: false }
