import type { FastifyRequest } from 'fastify'
import type { Actor, ImageRegistry, MemberRegistry, TaskQueue } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { type ActorSettings, actorOf } from '../plugins/actor.ts'

/** What the registry keeps. */
export interface RegistryPorts {
  readonly images: ImageRegistry
  readonly members: MemberRegistry
  readonly tasks: TaskQueue
}

export interface RegistrySettings extends ActorSettings {
  /** Images on a page of a list when the request does not say, and at most. */
  readonly limitParamDefault: number
  readonly apiLimitMax: number
}

/** What every action of the registry is given. */
export interface Registry {
  readonly ports: RegistryPorts
  readonly settings: RegistrySettings
}

/** Who asks, and whether in the words of Glance's registry or with ours beside them. */
export interface Caller {
  readonly actor: Actor
  readonly extended: boolean
}

/** A request with this header reads and writes whole records. */
const EXTENSIONS = 'x-mullion-registry'

/** Throws 403 when somebody else than an administrator asks for the extensions. */
export function callerOf(request: FastifyRequest): Caller {
  const actor = actorOf(request)
  const extended = request.headers[EXTENSIONS] !== undefined
  if (extended) requireService(actor)
  return { actor, extended }
}

/** Throws 403 for everybody but administrators, whom services are among. */
export function requireService(actor: Actor): void {
  if (!actor.admin) throw new ApiError(403, 'Only a service with the administrator role may do this')
}

/** Throws 403 for those who may only read. */
export function refuseReadOnly({ actor }: Caller): void {
  if (actor.readOnly) throw new ApiError(403, 'Read-only access')
}
