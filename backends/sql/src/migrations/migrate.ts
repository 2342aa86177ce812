import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import { invalidConfig } from '../config.ts'
import type { Engine } from '../engine.ts'
import type { Tables } from '../schema.ts'
import { initial } from './initial.ts'
import { servers } from './servers.ts'

const VERSION_TABLE = 'schema_version'
/** In the place of a time, where the database cannot take back half a migration. */
const UNFINISHED = 'unfinished'

/** In the order of their names. A migration that was released never changes. */
const MIGRATIONS: Readonly<Record<string, (words: Engine['schema']) => Migration>> = {
  '0001_initial': initial,
  '0002_servers': servers,
}

/** The state of a database. */
export interface Version {
  /** Name of the last migration that ran; undefined in an empty database. */
  readonly version: string | undefined
  /** Name of the last migration this program has. */
  readonly latest: string
  /** What has to run, in this order. */
  readonly pending: readonly string[]
  /** One of them that began and did not end: it is under way in another process, or was interrupted. */
  readonly unfinished: string | undefined
}

/** Rejects `invalid_config` when the database is newer than the code, or its tables are not ours. */
export async function checkVersion(db: Kysely<Tables>, engine: Engine): Promise<Version> {
  return versionOf(asVersions(db), engine)
}

/**
 * Brings the tables to the version of this code; several processes may call it at once. Resolves with the names of the
 * migrations that ran. Rejects as `checkVersion` does, and `invalid_config` when a migration was interrupted in a
 * database that cannot take back half of one.
 */
export async function migrate(db: Kysely<Tables>, engine: Engine): Promise<readonly string[]> {
  if ((await checkVersion(db, engine)).pending.length === 0) return [] // a reader needs no rights to change tables
  return engine.exclusively(asUnknown(db), async (connection) => {
    const versions = asVersions(connection)
    const { pending, unfinished } = await versionOf(versions, engine)
    refuseUnfinished(unfinished)
    if (pending.length > 0) await createVersionTable(versions, engine)
    for (const name of pending) await run(versions, engine, name)
    return pending
  })
}

type VersionTables = { readonly [VERSION_TABLE]: { readonly name: string; readonly timestamp: string } }

const asVersions = (db: Kysely<Tables> | Kysely<unknown>): Kysely<VersionTables> => db as Kysely<VersionTables>
const asUnknown = (db: Kysely<Tables> | Kysely<VersionTables>): Kysely<unknown> => db as Kysely<unknown>

async function versionOf(db: Kysely<VersionTables>, engine: Engine): Promise<Version> {
  const names = await engine.tables(asUnknown(db))
  if (!names.has(VERSION_TABLE) && names.has('images')) {
    throw invalidConfig(['the database has a table "images" that this library did not create; use another database'])
  }
  const rows = names.has(VERSION_TABLE) ? await db.selectFrom(VERSION_TABLE).selectAll().execute() : []
  const done = rows.filter(({ timestamp }) => timestamp !== UNFINISHED).map(({ name }) => name)
  const version = done.toSorted().at(-1)
  const latest = Object.keys(MIGRATIONS).at(-1) as string
  refuseNewer(version, latest)
  const pending = Object.keys(MIGRATIONS).filter((name) => !done.includes(name))
  return { version, latest, pending, unfinished: rows.find(({ timestamp }) => timestamp === UNFINISHED)?.name }
}

function refuseNewer(version: string | undefined, latest: string): void {
  if (version === undefined || version in MIGRATIONS) return
  throw invalidConfig([
    `the database is at version ${version}, this program knows versions up to ${latest}; run a newer one`,
  ])
}

function refuseUnfinished(name: string | undefined): void {
  if (name === undefined) return
  const remedy = name.startsWith('0001') ? 'drop its tables, which are empty' : 'restore the backup from before it'
  throw invalidConfig([`migration ${name} was interrupted, and the database keeps what it did: ${remedy}`])
}

async function createVersionTable(db: Kysely<VersionTables>, { schema }: Engine): Promise<void> {
  await db.schema
    .createTable(VERSION_TABLE)
    .ifNotExists()
    .modifyEnd(sql.raw(schema.tableEnd))
    .addColumn('name', 'varchar(255)', (column) => column.notNull().primaryKey())
    .addColumn('timestamp', 'varchar(255)', (column) => column.notNull())
    .execute()
}

async function run(db: Kysely<VersionTables>, { schema, undoesTables }: Engine, name: string): Promise<void> {
  if (!undoesTables) await db.insertInto(VERSION_TABLE).values({ name, timestamp: UNFINISHED }).execute()
  await MIGRATIONS[name]?.(schema).up(asUnknown(db))
  const timestamp = new Date().toISOString()
  if (undoesTables) await db.insertInto(VERSION_TABLE).values({ name, timestamp }).execute()
  else await db.updateTable(VERSION_TABLE).set({ timestamp }).where('name', '=', name).execute()
}
