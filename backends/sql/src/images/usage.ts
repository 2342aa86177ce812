import { sql } from 'kysely'
import type { Query } from '../database.ts'
import { isStorable } from '../values.ts'

/** Bytes in the locations of an owner's images, those of the image `except` left out. */
export async function usage(query: Query, owner: string, except: string | undefined): Promise<number> {
  if (!isStorable(owner)) return 0
  const { bytes } = await query
    .selectFrom('images')
    .innerJoin('image_locations', 'image_locations.image_id', 'images.id')
    // 1.0: the sum of safe integers may be none
    .select(sql<number | string | null>`sum(1.0 * images.sort_size)`.as('bytes'))
    .where('images.owner', '=', owner)
    .where('images.status', 'not in', ['killed', 'deleted'])
    .where('image_locations.deleted', '=', 0)
    .where('image_locations.status', '<>', 'pending')
    .$if(except !== undefined && isStorable(except), (select) => select.where('images.id', '<>', except as string))
    .executeTakeFirstOrThrow()
  return Number(bytes ?? 0)
}
