import type { FastifyReply, FastifyRequest } from 'fastify'
import { isMullionError } from 'mullion'
import { type Action, type Actor, canChange, type Image, type Member, type MemberDraft } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { actorOf } from '../plugins/actor.ts'
import { enforce, loadVisible, refuseReadOnly } from './access.ts'
import { tellStores } from './acls.ts'
import { sendJson } from './answer.ts'
import type { V1 } from './context.ts'
import { readJson } from './json.ts'
import { readMember, readMemberships } from './memberships.ts'

const JSON_TYPE = 'application/json; charset=UTF-8'

/** GET /images/{id}/members: all for the owner and admins, their own entry for members, nothing for others. */
export async function listMembers(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const actor = actorOf(request)
  await enforce(v1, 'get_members', actor)
  const image = await loadLive(v1, actor, request)
  const members = await v1.ports.members.list(image.id)
  const seen = members.filter(({ member }) => canChange(actor, image) || member === actor.owner)
  return sendJson(reply, 200, JSON_TYPE, {
    members: seen.map(({ member, canShare }) => ({ member_id: member, can_share: canShare })),
  })
}

/** PUT /images/{id}/members/{member} */
export async function putMember(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { member } = request.params as { readonly member: string }
  const draft = readMember(member, await readJson(request, reply, v1.settings))
  return change(v1, request, reply, 'modify_member', async (shared) => {
    const known = await v1.ports.members.list(shared.image.id)
    const isNew = !known.some((other) => other.member === member)
    if (isNew) checkQuota(v1, known.length + 1)
    checkSharer(shared)
    if (!isNew && !mayAlter(shared, member)) throw noMembership()
    await v1.ports.members.put(shared.image.id, draft)
  })
}

/** PUT /images/{id}/members: these and no others. Who may only share on keeps hands off the entries of others. */
export async function replaceMembers(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const drafts = readMemberships(await readJson(request, reply, v1.settings))
  return change(v1, request, reply, 'modify_member', async (shared) => {
    checkQuota(v1, drafts.length)
    checkSharer(shared)
    const known = await v1.ports.members.list(shared.image.id)
    const kept = known.filter(({ member }) => !mayAlter(shared, member))
    const fresh = drafts.filter(({ member }) => !kept.some((other) => other.member === member))
    checkQuota(v1, kept.length + fresh.length)
    await v1.ports.members.replace(shared.image.id, [...kept, ...fresh] satisfies readonly MemberDraft[])
  })
}

/** DELETE /images/{id}/members/{member} */
export async function removeMember(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { member } = request.params as { readonly member: string }
  return change(v1, request, reply, 'delete_member', async (shared) => {
    checkSharer(shared)
    if (!mayAlter(shared, member)) throw noMembership()
    await v1.ports.members.remove(shared.image.id, member)
  })
}

/** GET /shared-images/{member}: of a tenant's memberships those that the caller may know of. */
export async function listShared(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { member } = request.params as { readonly member: string }
  const actor = actorOf(request)
  const shared: Member[] = []
  for (const membership of await v1.ports.members.sharedWith(member)) {
    if (actor.admin || member === actor.owner || (await owns(v1, actor, membership.imageId))) shared.push(membership)
  }
  return sendJson(reply, 200, JSON_TYPE, {
    shared_images: shared.map(({ imageId, canShare }) => ({ image_id: imageId, can_share: canShare })),
  })
}

/** An image whose members the actor wants to change. */
interface Shared {
  readonly actor: Actor
  readonly image: Image
  /** The actor's own membership. */
  readonly own: Member | undefined
}

/** The checks of every change in the order of Images v1, the change, and what the stores have to know of it. */
async function change(
  v1: V1,
  request: FastifyRequest,
  reply: FastifyReply,
  action: Action,
  apply: (shared: Shared) => Promise<void>,
): Promise<FastifyReply> {
  const actor = actorOf(request)
  refuseReadOnly(actor)
  if (!actor.admin && !actor.owner) throw new ApiError(401, 'No authenticated user')
  await enforce(v1, action, actor)
  const image = await loadLive(v1, actor, request)
  const own = actor.owner === undefined ? undefined : await v1.ports.members.find(image.id, actor.owner)
  await apply({ actor, image, own }).catch(refused)
  await tellStores(v1, image)
  return reply.code(204).send()
}

function refused(error: unknown): never {
  if (isMullionError(error, 'not_found')) throw noMembership(error)
  if (isMullionError(error, 'invalid_argument')) {
    throw new ApiError(400, `Invalid membership association: ${error.message}`, { cause: error })
  }
  throw error
}

async function loadLive(v1: V1, actor: Actor, request: FastifyRequest): Promise<Image> {
  const { id } = request.params as { readonly id: string }
  const image = await loadVisible(v1, actor, id)
  if (image.status === 'deleted') throw new ApiError(404, `Image with identifier ${id} has been deleted.`)
  return image
}

/** Images v1 answers 404 where its registry said 403, with the registry's words. */
function checkSharer({ actor, image, own }: Shared): void {
  if (!canChange(actor, image) && !own?.canShare) throw new ApiError(404, 'No permission to share that image')
}

/** Who may share an image without owning it alters no entry but its own. */
function mayAlter({ actor, image }: Shared, member: string): boolean {
  return canChange(actor, image) || member === actor.owner
}

function noMembership(cause?: unknown): ApiError {
  return new ApiError(404, 'Membership could not be found.', { cause })
}

function checkQuota({ settings: { memberQuota } }: V1, count: number): void {
  if (memberQuota < 0 || count <= memberQuota) return
  const text = 'The limit has been exceeded on the number of allowed image members for this image.'
  throw new ApiError(413, `${text} Attempted: ${count}, Maximum: ${memberQuota}`)
}

async function owns({ ports }: V1, actor: Actor, imageId: string): Promise<boolean> {
  if (actor.owner === undefined) return false
  try {
    return (await ports.images.get(imageId)).owner === actor.owner
  } catch (error) {
    if (isMullionError(error, 'not_found')) return false
    throw error
  }
}
