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
    const { id } = shared.image
    const isNew = (await v1.ports.members.find(id, member)) === undefined
    if (isNew) checkQuota(v1, (await v1.ports.members.list(id)).length + 1)
    checkSharer(shared)
    if (!isNew && !mayAlter(shared, member)) throw noMembership()
    await v1.ports.members.put(id, draft, limited(v1))
  })
}

/** PUT /images/{id}/members: these and no others. Who may only share on keeps hands off the entries of others. */
export async function replaceMembers(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const drafts = readMemberships(await readJson(request, reply, v1.settings))
  return change(v1, request, reply, 'modify_member', async (shared) => {
    checkQuota(v1, drafts.length)
    checkSharer(shared)
    const { actor, image } = shared
    if (canChange(actor, image)) await v1.ports.members.replace(image.id, drafts)
    else await addAlone(v1, shared, drafts)
  })
}

/** One by one, so that nothing of what others do meanwhile is undone. */
async function addAlone(v1: V1, { actor, image }: Shared, drafts: readonly MemberDraft[]): Promise<void> {
  const known = await v1.ports.members.list(image.id)
  const fresh = drafts.filter(({ member }) => member === actor.owner || !known.some((other) => other.member === member))
  for (const draft of fresh) await v1.ports.members.put(image.id, draft, limited(v1))
  const staysOut = actor.owner !== undefined && !drafts.some(({ member }) => member === actor.owner)
  if (staysOut) await v1.ports.members.remove(image.id, actor.owner ?? '')
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
  const all = actor.admin || member === actor.owner
  if (!all && actor.owner === undefined) return sendJson(reply, 200, JSON_TYPE, { shared_images: [] })
  const shared = await v1.ports.members.sharedWith(member, all ? {} : { ownedBy: actor.owner })
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
  if (isMullionError(error, 'quota_exceeded'))
    throw tooMany(error.details.size, error.details.size - 1 + error.details.remaining)
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
  if (memberQuota >= 0 && count > memberQuota) throw tooMany(count, memberQuota)
}

/** Two who add a member at once are judged by the registry. */
function limited({ settings: { memberQuota } }: V1): { readonly limit: number | undefined } {
  return { limit: memberQuota < 0 ? undefined : memberQuota }
}

function tooMany(attempted: number, most: number): ApiError {
  const text = 'The limit has been exceeded on the number of allowed image members for this image.'
  return new ApiError(413, `${text} Attempted: ${attempted}, Maximum: ${most}`)
}
