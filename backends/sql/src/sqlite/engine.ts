import { type Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, sql } from 'kysely'
import type { Engine } from '../engine.ts'
import { patiently } from '../patiently.ts'
import { createDriver } from './driver.ts'
import { classify } from './errors.ts'
import { openFile } from './open.ts'

const LONGEST_PAUSE_MS = 50

/** SQLite through `node:sqlite`. Rejects what `classify` says of the errors of opening, raw. */
export async function openSqlite(file: string, busyTimeoutMs: number): Promise<Engine> {
  const patience = { classify, busyTimeoutMs, longestPauseMs: LONGEST_PAUSE_MS }
  const database = await patiently(() => openFile(file), patience)
  return {
    dialect: {
      createDriver: () => createDriver(database),
      createQueryCompiler: () => new SqliteQueryCompiler(),
      createAdapter: () => new SqliteAdapter(),
      // oxlint-disable-next-line typescript/no-explicit-any -- as in Kysely's interface
      createIntrospector: (db: Kysely<any>) => new SqliteIntrospector(db),
    },
    schema: {
      autoId: { type: 'integer', define: (column) => column.primaryKey().autoIncrement() },
      varchar: (length) => `varchar(${length})`,
      text: 'text',
      generated: 'virtual', // all that ALTER TABLE allows
      dropsIndexOn: false,
      tableEnd: '',
    },
    lockRows: false,
    comparesRows: true,
    writeIsolation: undefined,
    indexed: (table, index) => sql`${sql.table(table)} indexed by ${sql.ref(index)}`,
    leading: (few) => sql`${few} cross join images`, // https://www.sqlite.org/optoverview.html#manual_control_of_query_plans_using_cross_join
    clock: undefined,
    tables,
    exclusively: (db, work) => db.transaction().execute(work), // BEGIN IMMEDIATE keeps other processes out
    undoesTables: true,
    classify,
    longestPauseMs: LONGEST_PAUSE_MS,
  }
}

async function tables(db: Kysely<unknown>): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ readonly name: string }>`
    select name from sqlite_master where type = 'table'`.execute(db)
  return new Set(rows.map(({ name }) => name))
}
