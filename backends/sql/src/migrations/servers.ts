import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { SORT_KEYS } from 'mullion/images'
import type { SchemaWords } from '../engine.ts'
import { FILTER_COLUMNS, filterIndex, PROPERTY_INDEX, sortIndex, VALUE_START } from '../images/indexes.ts'
import { TIME_LENGTH } from '../values.ts'
import { index } from './tables.ts'

/** For several servers on one database, and lists of many images: writers, leases, an index for every order. */
export function servers(words: SchemaWords): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await addWriter(db, words)
      await addLeases(db, words)
      await addSortColumns(db, words)
      await addImageTime(db, words)
      await createIndexes(db)
      await dropIndexes(db, words)
    },
  }
}

async function addWriter(db: Kysely<unknown>, words: SchemaWords): Promise<void> {
  await db.schema
    .alterTable('images')
    .addColumn('writer', sql.raw(words.varchar(64)))
    .execute()
}

async function addLeases(db: Kysely<unknown>, words: SchemaWords): Promise<void> {
  await db.schema
    .alterTable('tasks')
    .addColumn('token', sql.raw(words.varchar(64)))
    .execute()
  await db.schema
    .alterTable('tasks')
    .addColumn('lease_until', sql.raw(words.varchar(TIME_LENGTH)))
    .execute()
  await db.schema
    .alterTable('tasks')
    .addColumn('attempts', 'integer', (column) => column.notNull().defaultTo(0))
    .execute()
  // What somebody held before there were leases: whoever asks next may have it.
  await sql`update tasks set lease_until = started_at, attempts = 1 where status = 'running'`.execute(db)
}

async function addSortColumns(db: Kysely<unknown>, { varchar, generated }: SchemaWords): Promise<void> {
  const columns = [
    ['images', 'sort_name', varchar(255), "coalesce(name, '')"],
    ['images', 'sort_container_format', varchar(20), "coalesce(container_format, '')"],
    ['images', 'sort_disk_format', varchar(20), "coalesce(disk_format, '')"],
    ['images', 'sort_size', 'bigint', 'coalesce(size, 0)'],
    ['image_properties', 'value_start', varchar(VALUE_START), `substr(value, 1, ${VALUE_START})`],
  ] as const
  for (const [table, column, type, expression] of columns) {
    await sql
      .raw(`alter table ${table} add column ${column} ${type} generated always as (${expression}) ${generated}`)
      .execute(db)
  }
}

/** Of the image, beside its properties: a filter by a property gives images in the order of their creation. */
async function addImageTime(db: Kysely<unknown>, words: SchemaWords): Promise<void> {
  await db.schema
    .alterTable('image_properties')
    .addColumn('image_created_at', sql.raw(words.varchar(TIME_LENGTH)), (column) => column.notNull().defaultTo(''))
    .execute()
  await sql`update image_properties set image_created_at =
    (select created_at from images where images.id = image_properties.image_id)`.execute(db)
}

const REPLACED = [
  'checksum_image_idx',
  'created_at_image_idx',
  'visibility_image_idx',
  'owner_image_idx',
  'status_image_idx',
  'updated_at_image_idx',
] as const

/** Exported for tests that make many records: an index is made faster than it is kept. */
export async function createIndexes(db: Kysely<unknown>): Promise<void> {
  for (const division of ['visibility', 'owner'] as const) {
    for (const key of SORT_KEYS) {
      const { name, columns } = sortIndex(division, key)
      await index(db, 'images', name, columns)
    }
  }
  for (const column of FILTER_COLUMNS) {
    const { name, columns } = filterIndex(column)
    await index(db, 'images', name, columns)
  }
  await index(db, 'tasks', 'ix_tasks_kind', ['kind', 'status', 'seq'])
  await index(db, 'image_properties', PROPERTY_INDEX, [
    'name',
    'value_start',
    'deleted',
    'image_created_at',
    'image_id',
  ])
}

async function dropIndexes(db: Kysely<unknown>, { dropsIndexOn }: SchemaWords): Promise<void> {
  for (const name of REPLACED) {
    const drop = db.schema.dropIndex(name)
    await (dropsIndexOn ? drop.on('images') : drop).execute()
  }
}
