import { type Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, sql } from 'kysely'
import type { TransactionSettings } from 'kysely'
import type { ParsedServer } from '../config.ts'
import type { Engine } from '../engine.ts'
import { createDriver } from '../server/driver.ts'
import { createPool, IDLE_MS } from '../server/pool.ts'
import { classify, isUndone } from './errors.ts'
import { connectPostgres } from './session.ts'

/** PostgreSQL through `pg`. Connects when it is first asked something. */
export async function openPostgres(config: ParsedServer): Promise<Engine> {
  const pg = await import('pg')
  const pool = createPool({
    connect: () => connectPostgres(pg, config),
    size: config.poolSize,
    waitMs: config.busyTimeoutMs,
    idleMs: IDLE_MS,
  })
  return {
    dialect: {
      createDriver: () => createDriver(pool, { begin, isUndone }),
      createQueryCompiler: () => new PostgresQueryCompiler(),
      createAdapter: () => new PostgresAdapter(),
      // oxlint-disable-next-line typescript/no-explicit-any -- as in Kysely's interface
      createIntrospector: (db: Kysely<any>) => new PostgresIntrospector(db),
    },
    schema: {
      autoId: { type: 'bigserial', define: (column) => column.primaryKey() },
      varchar: (length) => `varchar(${length}) collate "C"`,
      text: 'text collate "C"',
      generated: 'stored',
      dropsIndexOn: false,
      tableEnd: '',
    },
    lockRows: true,
    comparesRows: true,
    writeIsolation: 'read committed',
    indexed: (table) => sql.table(table),
    leading: (few) => sql`${few} cross join images`,
    clock: sql<string>`to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`,
    tables,
    exclusively,
    undoesTables: true,
    classify,
    longestPauseMs: 250,
  }
}

function begin({ isolationLevel, accessMode }: TransactionSettings): readonly string[] {
  const modes = [isolationLevel && `isolation level ${isolationLevel}`, accessMode].filter(Boolean)
  return [`start transaction ${modes.join(' ')}`]
}

async function tables(db: Kysely<unknown>): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ readonly name: string }>`
    select tablename as name from pg_catalog.pg_tables where schemaname = current_schema()`.execute(db)
  return new Set(rows.map(({ name }) => name))
}

/** The advisory lock goes with the transaction. Its number is this library's own, one for each schema. */
function exclusively<T>(db: Kysely<unknown>, work: (db: Kysely<unknown>) => Promise<T>): Promise<T> {
  return db
    .transaction()
    .setIsolationLevel('read committed') // to see what the last holder of the lock did
    .execute(async (transaction) => {
      await sql`select pg_advisory_xact_lock(1836346475, hashtext(current_schema()))`.execute(transaction)
      return work(transaction)
    })
}
