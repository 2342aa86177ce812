import { MullionError } from 'mullion'
import { assertRoom, type Member, type MemberDraft, type MemberRegistry } from 'mullion/images'
import type { Database, Query } from './database.ts'
import { born } from './images/children.ts'
import { lockImage } from './images/lock.ts'
import type { TimeText } from './schema.ts'
import { checkText, chunks, isStorable, toFlag, toTime } from './values.ts'

const ROWS = 100

/** One row per image and member for ever: a member who was removed comes back in the same row. */
export function memberRegistry(database: Database, now: () => Date): MemberRegistry {
  /** Changes the members of one image at a time: two who add the same member do not both see that there is none. */
  const write = (operation: string, imageId: string, work: (query: Query) => Promise<void>): Promise<void> =>
    database.write(operation, async (query) => {
      await lockImage(query, database.engine, imageId)
      await work(query)
    })
  return {
    find: async (imageId, member) => {
      if (!isStorable(imageId) || !isStorable(member)) return undefined
      return database.direct('find member', async (query) => {
        const [row] = await live(query).where('image_id', '=', imageId).where('member', '=', member).execute()
        return row && toMember(row)
      })
    },
    list: async (imageId) => {
      if (!isStorable(imageId)) return []
      return database.direct('list members', async (query) =>
        (await live(query).where('image_id', '=', imageId).orderBy('id').execute()).map(toMember),
      )
    },
    sharedWith: async (member, { ownedBy } = {}) => {
      if (!isStorable(member) || (ownedBy !== undefined && !isStorable(ownedBy))) return []
      return database.direct('list memberships', async (query) => {
        const all = live(query).where('member', '=', member)
        const theirs = ownedBy === undefined ? all : all.where('image_id', 'in', imagesOf(query, ownedBy))
        return (await theirs.orderBy('image_id').execute()).map(toMember)
      })
    },
    put: (imageId, draft, { limit } = {}) =>
      write('put member', imageId, async (query) => {
        if (limit !== undefined) await checkRoom(query, imageId, draft.member, limit)
        await put(query, imageId, [draft], toTime(now()))
      }),
    replace: (imageId, drafts) =>
      write('replace members', imageId, (query) => replace(query, imageId, drafts, toTime(now()))),
    remove: (imageId, member) =>
      database.write('remove member', (query) => remove(query, imageId, member, toTime(now()))),
  }
}

function live(query: Pick<Query, 'selectFrom'>) {
  return query.selectFrom('image_members').select(['image_id', 'member', 'can_share']).where('deleted', '=', 0)
}

function imagesOf(query: Pick<Query, 'selectFrom'>, owner: string) {
  return query.selectFrom('images').select('images.id').where('images.owner', '=', owner)
}

async function checkRoom(query: Query, imageId: string, member: string, limit: number): Promise<void> {
  const members = await live(query).where('image_id', '=', imageId).execute()
  if (!members.some((row) => row.member === member)) assertRoom(imageId, members.length, limit)
}

function toMember(row: { readonly image_id: string; readonly member: string; readonly can_share: number }): Member {
  return { imageId: row.image_id, member: row.member, canShare: row.can_share !== 0 }
}

async function put(query: Query, imageId: string, drafts: readonly MemberDraft[], now: TimeText): Promise<void> {
  const wanted = new Map(drafts.map(({ member, canShare }) => [checkText('member', member, 255), canShare]))
  const rows = []
  for (const part of chunks([...wanted.keys()], ROWS)) {
    rows.push(...(await membersOf(query, imageId).where('member', 'in', part).execute()))
  }
  for (const row of rows) {
    const canShare = wanted.get(row.member) ?? (row.deleted === 0 && row.can_share === 1)
    wanted.delete(row.member)
    if (row.deleted === 0 && row.can_share === toFlag(canShare)) continue
    const changes = { can_share: toFlag(canShare), deleted: 0, deleted_at: null, updated_at: now }
    await query.updateTable('image_members').set(changes).where('id', '=', row.id).execute()
  }
  // Images v2 lets members accept or refuse; new ones wait.
  const fresh = [...wanted].map(([member, canShare = false]) => ({
    ...born(imageId, now),
    member,
    can_share: toFlag(canShare),
    status: 'pending',
  }))
  for (const part of chunks(fresh, ROWS)) await query.insertInto('image_members').values(part).execute()
}

async function replace(query: Query, imageId: string, drafts: readonly MemberDraft[], now: TimeText): Promise<void> {
  const wanted = new Set(drafts.map(({ member }) => member))
  const rows = await membersOf(query, imageId).where('deleted', '=', 0).execute()
  const gone = rows.filter(({ member }) => !wanted.has(member)).map(({ id }) => id)
  for (const part of chunks(gone, ROWS)) {
    const changes = { deleted: 1, deleted_at: now, updated_at: now }
    await query.updateTable('image_members').set(changes).where('id', 'in', part).execute()
  }
  await put(query, imageId, drafts, now)
}

function membersOf(query: Query, imageId: string) {
  return query
    .selectFrom('image_members')
    .select(['id', 'member', 'can_share', 'deleted'])
    .where('image_id', '=', imageId)
}

async function remove(query: Query, imageId: string, member: string, now: TimeText): Promise<void> {
  if (isStorable(imageId) && isStorable(member)) {
    const { numUpdatedRows } = await query
      .updateTable('image_members')
      .set({ deleted: 1, deleted_at: now, updated_at: now })
      .where('image_id', '=', imageId)
      .where('member', '=', member)
      .where('deleted', '=', 0)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows > 0n) return
  }
  throw new MullionError('not_found', `image ${imageId}: no such member`, {
    details: { location: `${imageId}/members/${member}` },
    context: { imageId },
  })
}
