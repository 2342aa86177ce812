import { assertRoom, type ImageRegistry, type Member, type MemberDraft, type MemberRegistry } from 'mullion/images'
import { z } from 'zod'
import type { Client } from './client.ts'
import { brokenAnswer, failure, notFound } from './errors.ts'
import { imagePath, isAddress } from './path.ts'
import { accepted, codeOf } from './reply.ts'

const listed = z.object({ members: z.array(z.object({ member_id: z.string(), can_share: z.boolean() })) })
const shared = z.object({ shared_images: z.array(z.object({ image_id: z.string(), can_share: z.boolean() })) })

export function remoteMembers(client: Client, images: Pick<ImageRegistry, 'get'>): MemberRegistry {
  async function list(imageId: string): Promise<readonly Member[]> {
    if (!isAddress(imageId)) return []
    const reply = await client.ask({ method: 'GET', path: `${imagePath(imageId)}/members`, repeatable: true })
    if (codeOf(reply) === 'not_found') return []
    const { members } = parsed(listed, accepted(reply, { what: `members of image ${imageId}`, id: imageId }))
    return members.map(({ member_id: member, can_share: canShare }) => ({ imageId, member, canShare }))
  }

  return {
    list,
    find: async (imageId, member) => (await list(imageId)).find((entry) => entry.member === member),
    /** The registry tells all memberships; whose image each is in is asked one by one. */
    async sharedWith(member, { ownedBy } = {}) {
      if (!isAddress(member)) return []
      const path = `/shared-images/${encodeURIComponent(member)}`
      const reply = await client.ask({ method: 'GET', path, repeatable: true })
      const { shared_images: found } = parsed(shared, accepted(reply, { what: `member ${member}`, id: member }))
      const all = found.map(({ image_id: imageId, can_share: canShare }) => ({ imageId, member, canShare }))
      if (ownedBy === undefined) return all
      const owners = await Promise.all(all.map(async ({ imageId }) => (await images.get(imageId)).owner))
      return all.filter((_membership, index) => owners[index] === ownedBy)
    },
    /** Sets a value: twice is as good as once (RFC 9110 §9.2.2). */
    async put(imageId, { member, canShare }, { limit } = {}) {
      if (limit !== undefined) {
        const known = await list(imageId) // of two who add at once, both may pass
        if (!known.some((entry) => entry.member === member)) assertRoom(imageId, known.length, limit)
      }
      const path = memberPath(imageId, member)
      const body = canShare === undefined ? undefined : { member: { can_share: canShare } }
      const reply = await client.ask({ method: 'PUT', path, body, repeatable: true })
      accepted(reply, { what: `image ${imageId}`, id: imageId })
    },
    async replace(imageId, drafts) {
      if (!isAddress(imageId)) throw notFound(`image ${imageId}`, imageId)
      const body = { memberships: drafts.map(membership) }
      const path = `${imagePath(imageId)}/members`
      const reply = await client.ask({ method: 'PUT', path, body, repeatable: true })
      accepted(reply, { what: `image ${imageId}`, id: imageId })
    },
    /** Who is gone after an attempt that may have removed them was removed by it. */
    async remove(imageId, member) {
      const path = memberPath(imageId, member)
      const reply = await client.ask({ method: 'DELETE', path, repeatable: true })
      if (reply.uncertain && codeOf(reply) === 'not_found') return
      accepted(reply, { what: `member ${member} of image ${imageId}`, id: member })
    },
  }
}

function membership({ member, canShare }: MemberDraft): object {
  return { member_id: member, ...(canShare !== undefined && { can_share: canShare }) }
}

function memberPath(imageId: string, member: string): string {
  if (!isAddress(imageId)) throw notFound(`image ${imageId}`, imageId)
  if (!isAddress(member)) throw failure('invalid_argument', `member: ${JSON.stringify(member)}`, { name: 'member' })
  return `${imagePath(imageId)}/members/${encodeURIComponent(member)}`
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body)
  if (!result.success) throw brokenAnswer('it answered members that are none')
  return result.data
}
