import type { FastifyReply, FastifyRequest } from 'fastify'
import { isMullionError } from 'mullion'
import type { Image, Member, MemberDraft } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { loadVisible } from './access.ts'
import { bodyOf, type Table, tableOf } from './body.ts'
import { type Caller, callerOf, refuseReadOnly, type Registry } from './context.ts'
import { invalid, Refusal } from './errors.ts'
import { sendDocument } from './send.ts'

export async function listMembers(
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = callerOf(request)
  const image = await loadVisible(registry, caller, paramsOf(request).id)
  const members = await registry.ports.members.list(image.id)
  const visible = members.filter((member) => mayKnow(caller, member, image))
  return sendDocument(reply, {
    members: visible.map(({ member, canShare }) => ({ member_id: member, can_share: canShare })),
  })
}

export async function putMember(
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const image = await loadSharable(registry, callerOf(request), paramsOf(request).id)
  const draft = readDraft(paramsOf(request).member, bodyOf(request))
  await registry.ports.members.put(image.id, draft)
  return reply.code(204).send()
}

export async function replaceMembers(
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const image = await loadSharable(registry, callerOf(request), paramsOf(request).id)
  const list = bodyOf(request)?.get('memberships')
  if (!Array.isArray(list)) throw invalid('memberships', 'Invalid membership association: expected memberships')
  await registry.ports.members.replace(image.id, list.map(readMembership))
  return reply.code(204).send()
}

export async function removeMember(
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = callerOf(request)
  const image = await loadSharable(registry, caller, paramsOf(request).id)
  const { member } = paramsOf(request)
  if (!mayKnow(caller, { imageId: image.id, member, canShare: false }, image)) throw noSuchMember()
  await registry.ports.members.remove(image.id, member).catch((error: unknown) => {
    throw isMullionError(error, 'not_found') ? noSuchMember() : error
  })
  return reply.code(204).send()
}

export async function listShared(
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = callerOf(request)
  const shared = await registry.ports.members.sharedWith(paramsOf(request).member)
  const visible: Member[] = []
  for (const membership of shared) if (await mayKnowOf(registry, caller, membership)) visible.push(membership)
  return sendDocument(reply, {
    shared_images: visible.map(({ imageId, canShare }) => ({ image_id: imageId, can_share: canShare })),
  })
}

function paramsOf(request: FastifyRequest): { readonly id: string; readonly member: string } {
  return request.params as { readonly id: string; readonly member: string }
}

/** Throws 401, 404 and 403 in this order. */
async function loadSharable(registry: Registry, caller: Caller, id: string): Promise<Image> {
  refuseReadOnly(caller)
  const { actor } = caller
  if (!actor.admin && actor.owner === undefined) throw new ApiError(401)
  const image = await loadVisible(registry, caller, id)
  if (actor.admin || (actor.owner !== undefined && actor.owner === image.owner)) return image
  const own = await registry.ports.members.find(image.id, actor.owner ?? '')
  if (own?.canShare) return image
  throw new ApiError(403, 'No permission to share that image')
}

/** Administrators, the owner of the image, and the member. */
function mayKnow({ actor: { admin, owner } }: Caller, { member }: Member, image: Image): boolean {
  return admin || (owner !== undefined && (owner === image.owner || owner === member))
}

async function mayKnowOf({ ports }: Registry, caller: Caller, membership: Member): Promise<boolean> {
  const { admin, owner } = caller.actor
  if (admin || owner === membership.member) return true
  return owner !== undefined && mayKnow(caller, membership, await ports.images.get(membership.imageId))
}

/** Without a body, or with an empty one, nothing is said of sharing. */
function readDraft(member: string, body: Table | undefined): MemberDraft {
  if (!body || body.size === 0) return { member }
  const association = tableOf(body.get('member'))
  if (association?.has('can_share')) return { member, canShare: Boolean(association.get('can_share')) }
  throw invalid('member', 'Invalid membership association: expected member.can_share')
}

function readMembership(value: unknown): MemberDraft {
  const entry = tableOf(value)
  const member = entry?.get('member_id')
  if (!entry || typeof member !== 'string') {
    throw invalid('memberships', 'Invalid membership association: expected member_id')
  }
  return entry.has('can_share') ? { member, canShare: Boolean(entry.get('can_share')) } : { member }
}

function noSuchMember(): Refusal {
  return new Refusal('not_found', 'Membership could not be found.')
}
