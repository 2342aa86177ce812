import { isMullionError } from 'mullion'
import { invalidConfig, type ParsedConfig, type ParsedSqlite } from './config.ts'
import { asMullionError, createDatabase, type Database } from './database.ts'
import type { Engine } from './engine.ts'
import { checkVersion, migrate, type Version } from './migrations/migrate.ts'

/** Brings the tables up to date, if it may. Rejects as `openRegistry` does. */
export async function prepare(config: ParsedConfig, database: Database, mayMigrate: boolean): Promise<void> {
  if (mayMigrate) await upgrade(config, database)
  else refusePending(await versionOf(database))
}

function refusePending({ pending }: Version): void {
  if (pending.length > 0) throw invalidConfig([`the database lacks ${pending.join(', ')}; run \`mullion db upgrade\``])
}

export function versionOf(database: Database): Promise<Version> {
  return configured(database.direct('open', (db) => checkVersion(db, database.engine)))
}

/** How long other processes may take to do the same. */
const MIGRATION_WAIT_MS = 600_000

/** Servers have a connection of its own for this: an index of a large table takes longer than a statement may. */
export async function upgrade(config: ParsedConfig, database: Database): Promise<readonly string[]> {
  if ((await versionOf(database)).pending.length === 0) return []
  const run = (on: Database): Promise<readonly string[]> =>
    configured(on.direct('migrate', (db) => migrate(db, on.engine)))
  if (config.dialect === 'sqlite') return run(database)
  const patient = await openDatabase({
    ...config,
    poolSize: 1,
    statementTimeoutMs: 0,
    busyTimeoutMs: Math.max(config.busyTimeoutMs, MIGRATION_WAIT_MS),
  })
  try {
    return await run(patient)
  } finally {
    await patient.close()
  }
}

export async function openDatabase(config: ParsedConfig): Promise<Database> {
  return createDatabase(await openEngine(config), config)
}

/** Each driver is loaded when it is needed. */
async function openEngine(config: ParsedConfig): Promise<Engine> {
  if (config.dialect === 'sqlite') return openFile(config)
  if (config.dialect === 'postgres') return (await import('./postgres/engine.ts')).openPostgres(config)
  return (await import('./mysql/engine.ts')).openMysql(config)
}

async function openFile({ file, busyTimeoutMs }: ParsedSqlite): Promise<Engine> {
  const { openSqlite } = await import('./sqlite/engine.ts')
  const { classify } = await import('./sqlite/errors.ts')
  try {
    return await openSqlite(file, busyTimeoutMs)
  } catch (error) {
    if (isMullionError(error)) throw error
    if (classify(error) === 'invalid_config') throw invalidConfig([`file: ${(error as Error).message}`], error)
    throw asMullionError('open', error, classify)
  }
}

/** What a server refuses before there is a database to work with is a matter of the configuration. */
async function configured<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    const { cause } = error as { readonly cause?: unknown }
    if (isMullionError(error, 'unauthenticated'))
      throw invalidConfig([`user, password: ${(cause as Error).message}`], cause)
    throw error
  }
}
