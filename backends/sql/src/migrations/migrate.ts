import { type Kysely } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { invalidConfig } from '../config.ts'
import type { Engine } from '../engine.ts'
import type { Tables } from '../schema.ts'
import { initial } from './initial.ts'

const VERSION_TABLE = 'schema_version'

/** In the order of their names. A migration that was released never changes. */
function migrations(engine: Engine): Readonly<Record<string, Migration>> {
  return { '0001_initial': initial(engine) }
}

/**
 * Brings the tables to the version of this code; several processes may call it at once. Rejects `invalid_config` when
 * the database is newer than the code, or its tables are not ours.
 */
export async function migrate(db: Kysely<Tables>, engine: Engine): Promise<void> {
  await refuseForeign(db)
  const known = migrations(engine)
  const migrator = new Migrator({
    db,
    provider: { getMigrations: () => Promise.resolve({ ...known }) },
    migrationTableName: VERSION_TABLE,
    migrationLockTableName: `${VERSION_TABLE}_lock`,
    nameComparator: (a, b) => (a < b ? -1 : 1),
  })
  const { error } = await migrator.migrateToLatest()
  if (error === undefined) return
  if (engine.classify(error) !== undefined) throw error // the version may not be readable: its table may not be there yet
  const newer = await newest(db)
  const latest = Object.keys(known).toSorted().at(-1)
  if (newer === undefined || newer in known) throw error
  throw invalidConfig([
    `the database is at version ${newer}, this program knows versions up to ${latest}; run a newer one`,
  ])
}

async function newest(db: Kysely<Tables>): Promise<string | undefined> {
  const versions = db.withTables<{ [VERSION_TABLE]: { readonly name: string } }>()
  const row = await versions
    .selectFrom(VERSION_TABLE)
    .select('name')
    .orderBy('name', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.name
}

async function refuseForeign(db: Kysely<Tables>): Promise<void> {
  const tables = await db.introspection.getTables()
  const names = new Set(tables.map(({ name }) => name))
  if (!names.has(VERSION_TABLE) && names.has('images')) {
    throw invalidConfig(['the database has a table "images" that this library did not create; use another database'])
  }
}
