import { MullionError } from 'mullion'
import type { Query } from '../database.ts'
import type { Engine } from '../engine.ts'
import { isStorable } from '../values.ts'

/** Keeps other writers of the image out until the transaction ends. Rejects `not_found`. */
export async function lockImage(query: Query, { lockRows }: Engine, id: string): Promise<void> {
  const row = isStorable(id)
    ? await query
        .selectFrom('images')
        .select('id')
        .where('id', '=', id)
        .$if(lockRows, (select) => select.forUpdate())
        .executeTakeFirst()
    : undefined
  if (!row) throw imageNotFound(id)
}

export function imageNotFound(id: string): MullionError<'not_found'> {
  return new MullionError('not_found', `image ${id}: no such image`, {
    details: { location: id },
    context: { imageId: id },
  })
}
