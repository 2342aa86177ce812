import { MullionError } from 'mullion'
import type { ReadOnlyDatabase, Row, Value } from './database.ts'

/** A row of `images` with the rows of the other tables that belong to it, deleted ones included. */
export interface GlanceRows {
  readonly image: Row
  readonly properties: readonly Row[]
  readonly members: readonly Row[]
  readonly tags: readonly Row[]
  readonly locations: readonly Row[]
}

const PAGE = 200

/** The columns without which a table is not Glance's (glance/db/sqlalchemy/models.py, from Juno on). */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  images: ['id', 'name', 'status', 'size', 'disk_format', 'container_format', 'owner', 'created_at', 'deleted'],
  image_properties: ['image_id', 'name', 'value', 'deleted'],
  image_members: ['image_id', 'member', 'can_share', 'deleted'],
  image_tags: ['image_id', 'value', 'deleted'],
  image_locations: ['image_id', 'value', 'meta_data', 'deleted'],
}

/** Rejects `invalid_argument` when the tables are not those of a Glance. */
export async function checkTables(database: ReadOnlyDatabase): Promise<void> {
  for (const [table, needed] of Object.entries(NEEDED)) {
    const columns = await database.columns(table)
    const missing = needed.filter((column) => !columns.has(column))
    if (missing.length === 0) continue
    const what = columns.size === 0 ? 'has no such table' : `lacks ${missing.join(', ')}`
    throw refused(`${table}: the database ${what}: it is not a Glance's, or one from before Juno`)
  }
  const images = await database.columns('images')
  if (images.has('id_key'))
    throw refused('images: the database is one of mullion: use `mullion export` and `mullion import`')
  if (images.has('visibility') || images.has('is_public')) return
  throw refused('images: the database has neither visibility nor is_public')
}

export async function countImages(database: ReadOnlyDatabase): Promise<number> {
  const [row] = await database.query('select count(*) as images from images')
  return Number(row?.['images'] ?? 0)
}

/** Every image, a page at a time. */
export async function* readImages(database: ReadOnlyDatabase, signal: AbortSignal): AsyncGenerator<GlanceRows> {
  let after = ''
  for (;;) {
    signal.throwIfAborted()
    const images = await database.query(`select * from images where id > ? order by id limit ${PAGE}`, [after])
    if (images.length === 0) return
    const ids = images.map((row) => textOf(row['id']) ?? '')
    const properties = await childrenOf(database, 'image_properties', ids)
    const members = await childrenOf(database, 'image_members', ids)
    const tags = await childrenOf(database, 'image_tags', ids)
    const locations = await childrenOf(database, 'image_locations', ids)
    for (const image of images) {
      const rows = (table: Children): readonly Row[] => table.get(image['id'] ?? null) ?? []
      yield {
        image,
        properties: rows(properties),
        members: rows(members),
        tags: rows(tags),
        locations: rows(locations),
      }
    }
    after = ids.at(-1) ?? after
  }
}

type Children = ReadonlyMap<Value, readonly Row[]>

async function childrenOf(database: ReadOnlyDatabase, table: string, ids: readonly string[]): Promise<Children> {
  const places = ids.map(() => '?').join(', ')
  const rows = await database.query(`select * from ${table} where image_id in (${places}) order by id`, ids)
  return Map.groupBy(rows, (row) => row['image_id'] ?? null)
}

/** Undefined for what is not set; so is a column that this version of the schema lacks. */
export function textOf(value: Value | undefined): string | undefined {
  return value === null || value === undefined ? undefined : String(value)
}

/** Drivers give large integers as text. Undefined for what is not set, or is no size. */
export function integerOf(value: Value | undefined): number | undefined {
  const number = value === null || value === undefined ? Number.NaN : Number(value)
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined
}

export function booleanOf(value: Value | undefined): boolean {
  return value === true || value === 't' || Number(value ?? 0) === 1
}

/** UTC without a zone, with or without microseconds: `2016-11-22 08:23:58.800343`. */
export function timeOf(value: Value | undefined): Date | undefined {
  const text = textOf(value)
  if (text === undefined) return undefined
  const time = new Date(`${text.replace(' ', 'T').replace(/(\.\d{3})\d*$/, '$1')}Z`)
  return Number.isNaN(time.getTime()) ? undefined : time
}

function refused(what: string): MullionError<'invalid_argument'> {
  return new MullionError('invalid_argument', `import-glance: ${what}`, { details: { name: 'database-url' } })
}
