import { createSeal, type ImageRegistry, type Log, type MemberRegistry, type TaskQueue } from 'mullion/images'
import { parseConfig, type SqlConfig } from './config.ts'
import { imageRegistry } from './images/registry.ts'
import { memberRegistry } from './members.ts'
import type { Version } from './migrations/migrate.ts'
import { openDatabase, prepare, upgrade, versionOf } from './open.ts'
import { taskQueue } from './tasks/queue.ts'

/** The ports of `mullion/images` that remember, over one database. */
export interface SqlRegistry extends AsyncDisposable {
  readonly images: ImageRegistry
  readonly members: MemberRegistry
  readonly tasks: TaskQueue
  /** Waits for the calls under way; later ones reject `closed`. */
  close(): Promise<void>
}

export interface SqlRegistryEnv {
  /** Default the system's clock, and for leases that of the database server. */
  readonly now?: () => Date
  /** Bring the tables up to date. False: reject `invalid_config` when they are not. Default true. */
  readonly migrate?: boolean
  /** Hears once of each task, and of each image in a list, that cannot be read with the keys. Default nobody. */
  readonly log?: Log
}

/**
 * Opens the database and brings its tables up to date. Rejects `invalid_config` (also for a database that is newer than
 * this code, or not ours, and for a user or password that the server refuses), `permission_denied`, `storage_full`,
 * `unavailable`.
 */
export async function openRegistry(input: SqlConfig, env: SqlRegistryEnv = {}): Promise<SqlRegistry> {
  const config = parseConfig(input)
  const seal = createSeal(config.encryptionKeys, config.refusePlain)
  const database = await openDatabase(config)
  const now = env.now ?? (() => new Date())
  try {
    await prepare(config, database, env.migrate ?? true)
  } catch (error) {
    await database.close()
    throw error
  }
  return {
    images: imageRegistry(database, seal, now, env.log),
    members: memberRegistry(database, now),
    tasks: taskQueue(database, seal, { leaseMs: config.leaseMs, now: env.now, log: env.log }),
    close: () => database.close(),
    [Symbol.asyncDispose]: () => database.close(),
  }
}

/** What the tables are and what this program wants them to be. Rejects as `openRegistry` does. */
export async function checkRegistry(input: SqlConfig): Promise<Version> {
  const database = await openDatabase(parseConfig(input))
  try {
    return await versionOf(database)
  } finally {
    await database.close()
  }
}

/** Brings the tables up to date. Resolves with the names of the migrations that ran. Rejects as `openRegistry` does. */
export async function migrateRegistry(input: SqlConfig): Promise<readonly string[]> {
  const config = parseConfig(input)
  const database = await openDatabase(config)
  try {
    return await upgrade(config, database)
  } finally {
    await database.close()
  }
}
