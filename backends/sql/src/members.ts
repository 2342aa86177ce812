import { MullionError } from 'mullion'
import type { Member, MemberRegistry } from 'mullion/images'
import type { Database, Query } from './database.ts'
import { born } from './images/children.ts'
import { imageNotFound } from './images/registry.ts'
import type { TimeText } from './schema.ts'
import { checkText, toFlag, toTime } from './values.ts'

/** One row per image and member for ever: a member who was removed comes back in the same row. */
export function memberRegistry(database: Database, now: () => Date): MemberRegistry {
  return {
    find: (imageId, member) =>
      database.direct('find member', async (query) => {
        const [row] = await live(query, imageId).where('member', '=', member).execute()
        return row && toMember(row)
      }),
    list: (imageId) =>
      database.direct('list members', async (query) =>
        (await live(query, imageId).orderBy('id').execute()).map(toMember),
      ),
    put: (member) => database.write('put member', (query) => put(query, member, toTime(now()))),
    remove: (imageId, member) =>
      database.write('remove member', (query) => remove(query, imageId, member, toTime(now()))),
  }
}

function live(query: Pick<Query, 'selectFrom'>, imageId: string) {
  return query
    .selectFrom('image_members')
    .select(['image_id', 'member', 'can_share'])
    .where('image_id', '=', imageId)
    .where('deleted', '=', 0)
}

function toMember(row: { readonly image_id: string; readonly member: string; readonly can_share: number }): Member {
  return { imageId: row.image_id, member: row.member, canShare: row.can_share !== 0 }
}

async function put(query: Query, { imageId, member, canShare }: Member, now: TimeText): Promise<void> {
  const changes = { can_share: toFlag(canShare), deleted: 0, deleted_at: null, updated_at: now }
  const { numUpdatedRows } = await query
    .updateTable('image_members')
    .set(changes)
    .where('image_id', '=', imageId)
    .where('member', '=', member)
    .executeTakeFirstOrThrow()
  if (numUpdatedRows > 0n) return
  const image = await query.selectFrom('images').select('id').where('id', '=', imageId).executeTakeFirst()
  if (!image) throw imageNotFound(imageId)
  // Images v2 lets members accept or refuse; new ones wait.
  const values = { ...born(imageId, now), ...changes, member: checkText('member', member, 255), status: 'pending' }
  await query.insertInto('image_members').values(values).execute()
}

async function remove(query: Query, imageId: string, member: string, now: TimeText): Promise<void> {
  const { numUpdatedRows } = await query
    .updateTable('image_members')
    .set({ deleted: 1, deleted_at: now, updated_at: now })
    .where('image_id', '=', imageId)
    .where('member', '=', member)
    .where('deleted', '=', 0)
    .executeTakeFirstOrThrow()
  if (numUpdatedRows > 0n) return
  throw new MullionError('not_found', `image ${imageId}: no such member`, {
    details: { location: `${imageId}/members/${member}` },
    context: { imageId },
  })
}
