import { isMullionError } from 'mullion'
import type { ImageRegistry, MemberRegistry, TaskQueue } from 'mullion/images'
import { invalidConfig, parseConfig, type SqlConfig } from './config.ts'
import { asMullionError, createDatabase } from './database.ts'
import type { Engine } from './engine.ts'
import { imageRegistry } from './images/registry.ts'
import { memberRegistry } from './members.ts'
import { migrate } from './migrations/migrate.ts'
import { createSeal } from './seal.ts'
import { classify } from './sqlite/errors.ts'
import { openSqlite } from './sqlite/engine.ts'
import { taskQueue } from './tasks.ts'

/** The ports of `mullion/images` that remember, over one database. */
export interface SqlRegistry extends AsyncDisposable {
  readonly images: ImageRegistry
  readonly members: MemberRegistry
  readonly tasks: TaskQueue
  /** Waits for the calls under way; later ones reject `closed`. */
  close(): Promise<void>
}

export interface SqlRegistryEnv {
  /** Default the system's clock. */
  readonly now?: () => Date
}

/**
 * Opens the database and brings its tables up to date. Rejects `invalid_config` (also for a database that is newer than
 * this code, or not ours), `permission_denied`, `storage_full`, `unavailable`.
 */
export async function openRegistry(
  config: SqlConfig,
  { now = () => new Date() }: SqlRegistryEnv = {},
): Promise<SqlRegistry> {
  const { file, busyTimeoutMs, encryptionKeys, refusePlain } = parseConfig(config)
  const seal = createSeal(encryptionKeys, refusePlain)
  const engine = await opened(file, busyTimeoutMs)
  const database = createDatabase(engine, { busyTimeoutMs })
  try {
    await database.direct('open', (db) => migrate(db, engine))
  } catch (error) {
    await database.close()
    throw error
  }
  return {
    images: imageRegistry(database, seal, now),
    members: memberRegistry(database, now),
    tasks: taskQueue(database, seal, now),
    close: () => database.close(),
    [Symbol.asyncDispose]: () => database.close(),
  }
}

async function opened(file: string, busyTimeoutMs: number): Promise<Engine> {
  try {
    return await openSqlite(file, busyTimeoutMs)
  } catch (error) {
    if (isMullionError(error)) throw error
    if (classify(error) !== 'invalid_config') throw asMullionError('open', error, classify)
    throw invalidConfig([`file: ${(error as Error).message}`], error)
  }
}
