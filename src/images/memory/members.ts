import { MullionError } from '../../errors.ts'
import type { Image } from '../image.ts'
import type { Member, MemberDraft, MemberRegistry } from '../ports.ts'
import { assertRoom } from '../quota.ts'

/** `canShare` by tenant, by image. */
export type Members = Map<string, Map<string, boolean>>

export function memberRegistry(all: Members, images: ReadonlyMap<string, Image>): MemberRegistry {
  function membersOf(imageId: string): Map<string, boolean> {
    if (!images.has(imageId)) throw notFound(`image ${imageId}: no such image`, imageId)
    const members = all.get(imageId) ?? new Map<string, boolean>()
    all.set(imageId, members)
    return members
  }

  return {
    async find(imageId, member) {
      const canShare = all.get(imageId)?.get(member)
      return canShare === undefined ? undefined : { imageId, member, canShare }
    },
    list: async (imageId) => [...(all.get(imageId) ?? [])].map(([member, canShare]) => ({ imageId, member, canShare })),
    async sharedWith(member, { ownedBy } = {}) {
      const found: Member[] = []
      for (const [imageId, members] of all) {
        const canShare = members.get(member)
        const isTheirs = ownedBy === undefined || images.get(imageId)?.owner === ownedBy
        if (canShare !== undefined && isTheirs) found.push({ imageId, member, canShare })
      }
      return found
    },
    async put(imageId, draft, { limit } = {}) {
      const members = membersOf(imageId)
      if (!members.has(draft.member)) assertRoom(imageId, members.size, limit)
      set(members, draft)
    },
    async replace(imageId, drafts) {
      const members = membersOf(imageId)
      const wanted = new Set(drafts.map(({ member }) => member))
      for (const member of members.keys()) if (!wanted.has(member)) members.delete(member)
      for (const draft of drafts) set(members, draft)
    },
    async remove(imageId, member) {
      if (all.get(imageId)?.delete(member)) return
      throw notFound(`image ${imageId}: no member ${member}`, member)
    },
  }
}

function set(members: Map<string, boolean>, { member, canShare }: MemberDraft): void {
  members.set(member, canShare ?? members.get(member) ?? false)
}

function notFound(message: string, location: string): MullionError<'not_found'> {
  return new MullionError('not_found', message, { details: { location } })
}
