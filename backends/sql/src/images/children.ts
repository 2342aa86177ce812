import type { Query } from '../database.ts'
import type { TimeText } from '../schema.ts'
import { checkText, chunks } from '../values.ts'

const ROWS = 100

/** Sets the given properties; the others stay, or are soft-deleted with `purge`. A property that was deleted revives. */
export async function writeProperties(
  query: Query,
  imageId: string,
  set: ReadonlyMap<string, string | null>,
  purge: boolean,
  now: TimeText,
): Promise<void> {
  for (const [name, value] of set) {
    checkText('properties', name, 255)
    if (value !== null) checkText('properties', value)
  }
  const rows = await query.selectFrom('image_properties').selectAll().where('image_id', '=', imageId).execute()
  const known = new Map(rows.map((row) => [row.name, row]))
  for (const [name, value] of set) {
    const row = known.get(name)
    if (!row || (row.deleted === 0 && row.value === value)) continue
    const changes = { value, deleted: 0, deleted_at: null, updated_at: now }
    await query.updateTable('image_properties').set(changes).where('id', '=', row.id).execute()
  }
  const fresh = [...set]
    .filter(([name]) => !known.has(name))
    .map(([name, value]) => ({ ...born(imageId, now), name, value }))
  for (const part of chunks(fresh, ROWS)) await insertProperties(query, imageId, part)
  if (purge)
    await bury(
      query,
      'image_properties',
      rows.filter((row) => row.deleted === 0 && !set.has(row.name)),
      now,
    )
}

type Fresh = ReturnType<typeof born> & { readonly name: string; readonly value: string | null }

async function insertProperties(query: Query, imageId: string, rows: readonly Fresh[]): Promise<void> {
  await query
    .insertInto('image_properties')
    .values(({ selectFrom }) => {
      const image = selectFrom('images').select('images.created_at').where('images.id', '=', imageId)
      return rows.map((row) => ({ ...row, image_created_at: image }))
    })
    .execute()
}

/** Makes the tags of the image exactly these. */
export async function writeTags(query: Query, imageId: string, tags: readonly string[], now: TimeText): Promise<void> {
  const wanted = new Set(tags.map((tag) => checkText('tags', tag, 255)))
  const rows = await query.selectFrom('image_tags').selectAll().where('image_id', '=', imageId).execute()
  const known = new Set(rows.map((row) => row.value))
  const dead = rows.filter((row) => row.deleted === 1 && wanted.has(row.value)).map((row) => row.id)
  for (const ids of chunks(dead, ROWS)) {
    const changes = { deleted: 0, deleted_at: null, updated_at: now }
    await query.updateTable('image_tags').set(changes).where('id', 'in', ids).execute()
  }
  const fresh = [...wanted].filter((tag) => !known.has(tag)).map((value) => ({ ...born(imageId, now), value }))
  for (const part of chunks(fresh, ROWS)) await query.insertInto('image_tags').values(part).execute()
  await bury(
    query,
    'image_tags',
    rows.filter((row) => row.deleted === 0 && !wanted.has(row.value)),
    now,
  )
}

/** Soft-deletes what goes with a deleted image. Its locations stay until somebody says that their data is gone. */
export async function buryChildren(query: Query, imageId: string, now: TimeText): Promise<void> {
  const changes = { deleted: 1, deleted_at: now, updated_at: now }
  for (const table of ['image_properties', 'image_tags', 'image_members'] as const) {
    await query.updateTable(table).set(changes).where('image_id', '=', imageId).where('deleted', '=', 0).execute()
  }
}

/** The columns every new row of a child table starts with. */
export function born(
  imageId: string,
  now: TimeText,
): {
  readonly image_id: string
  readonly created_at: TimeText
  readonly updated_at: TimeText
  readonly deleted: number
} {
  return { image_id: imageId, created_at: now, updated_at: now, deleted: 0 }
}

async function bury(
  query: Query,
  table: 'image_properties' | 'image_tags',
  rows: readonly { readonly id: number }[],
  now: TimeText,
): Promise<void> {
  const changes = { deleted: 1, deleted_at: now, updated_at: now }
  for (const part of chunks(rows, ROWS)) {
    const ids = part.map(({ id }) => id)
    await query.updateTable(table).set(changes).where('id', 'in', ids).execute()
  }
}
