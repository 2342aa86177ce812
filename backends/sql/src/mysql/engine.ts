import { isIP } from 'node:net'
import { type Kysely, MysqlAdapter, MysqlIntrospector, MysqlQueryCompiler, sql } from 'kysely'
import type { TransactionSettings } from 'kysely'
import { invalidConfig, type ParsedServer } from '../config.ts'
import type { Engine } from '../engine.ts'
import { createDriver } from '../server/driver.ts'
import { createPool, IDLE_MS } from '../server/pool.ts'
import { ConnectionLost } from '../server/errors.ts'
import { classify, isUndone } from './errors.ts'
import { connectMysql } from './session.ts'

/** MySQL and MariaDB through `mysql2`. Asks the server once which of them it is. */
export async function openMysql(config: ParsedServer): Promise<Engine> {
  if (config.tls && config.tls.serverName === undefined && isIP(config.host) !== 0)
    throw invalidConfig(['tls.serverName: expected the name in the certificate, because the host is an address'])
  const { default: mysql } = await import('mysql2')
  const connect = () => connectMysql(mysql, config)
  const pool = createPool({ connect, size: config.poolSize, waitMs: config.busyTimeoutMs, idleMs: IDLE_MS })
  let collation = ''
  return {
    dialect: {
      createDriver: () => createDriver(pool, { begin, isUndone }),
      createQueryCompiler: () => new MysqlQueryCompiler(),
      createAdapter: () => new MysqlAdapter(),
      // oxlint-disable-next-line typescript/no-explicit-any -- as in Kysely's interface
      createIntrospector: (db: Kysely<any>) => new MysqlIntrospector(db),
    },
    schema: {
      autoId: { type: 'bigint', define: (column) => column.primaryKey().autoIncrement() },
      varchar: (length) => `varchar(${length})`,
      text: 'longtext',
      generated: 'stored',
      dropsIndexOn: true,
      get tableEnd() {
        return `engine = InnoDB character set utf8mb4 collate ${collation}`
      },
    },
    lockRows: true,
    comparesRows: false,
    writeIsolation: 'read committed',
    indexed: (table, index) => sql`${sql.table(table)} force index (${sql.ref(index)})`,
    leading: (few) => sql`${few} straight_join images`,
    clock: sql<string>`concat(left(date_format(utc_timestamp(3), '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')`,
    tables,
    exclusively: async (db, work) => {
      collation = await binaryCollation(db)
      return exclusively(db, work)
    },
    undoesTables: false,
    classify,
    longestPauseMs: 250,
  }
}

/** The session's own isolation level is repeatable read: a snapshot needs no statement of its own. */
function begin({ isolationLevel, accessMode }: TransactionSettings): readonly string[] {
  if (accessMode === 'read only') return ['start transaction with consistent snapshot, read only']
  if (isolationLevel === undefined) return ['start transaction']
  return [`set transaction isolation level ${isolationLevel}`, 'start transaction']
}

async function tables(db: Kysely<unknown>): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ readonly name: string }>`
    select table_name as name from information_schema.tables where table_schema = database()`.execute(db)
  return new Set(rows.map(({ name }) => name))
}

/** By bytes, blanks at the end included: utf8mb4_bin takes `a` and `a ` for the same. */
async function binaryCollation(db: Kysely<unknown>): Promise<string> {
  const { rows } = await sql<{ readonly name: string }>`
    select collation_name as name from information_schema.collations
    where collation_name in ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin')`.execute(db)
  const [first] = rows
  if (!first) throw invalidConfig(['the server has neither utf8mb4_nopad_bin nor utf8mb4_0900_bin'])
  return first.name
}

/** The lock goes with the connection. MySQL ends transactions at CREATE TABLE, so there is none. */
function exclusively<T>(db: Kysely<unknown>, work: (db: Kysely<unknown>) => Promise<T>): Promise<T> {
  return db.connection().execute(async (connection) => {
    const name = sql`concat('mullion ', left(sha1(database()), 40))` // at most 64 characters
    const { rows } = await sql<{ readonly taken: number | null }>`select get_lock(${name}, 1) as taken`.execute(
      connection,
    )
    if (rows[0]?.taken !== 1) throw new ConnectionLost('another process changes the tables')
    try {
      return await work(connection)
    } finally {
      await sql`select release_lock(${name})`.execute(connection).catch(() => undefined)
    }
  })
}
