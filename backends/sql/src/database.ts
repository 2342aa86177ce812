import { Kysely, type Transaction } from 'kysely'
import { type ErrorCode, isMullionError, MullionError } from 'mullion'
import { invalidConfig } from './config.ts'
import type { Engine } from './engine.ts'
import { patiently } from './patiently.ts'
import type { Tables } from './schema.ts'
import { CommitUncertain } from './server/errors.ts'

export type Query = Transaction<Tables>

/** A database with one way to read and one way to write, both of which see or leave a consistent state only. */
export interface Database {
  readonly engine: Engine
  /** Runs `work` on one snapshot. */
  read<T>(operation: string, work: (query: Query) => Promise<T>): Promise<T>
  /**
   * Runs `work` in one transaction: all or nothing. `work` may run again when the database was busy or the connection
   * broke, but never after COMMIT was sent: then it rejects `unavailable`, and the change may have been made.
   */
  write<T>(operation: string, work: (query: Query) => Promise<T>): Promise<T>
  /** Reads outside of a transaction, with the same errors and attempts. */
  direct<T>(operation: string, work: (query: Kysely<Tables>) => Promise<T>): Promise<T>
  /** Whether an error inside of `work` says that a unique key is taken. */
  readonly isTaken: (error: unknown) => boolean
  /** Waits for what is under way. A second call does nothing. */
  close(): Promise<void>
}

export interface DatabaseOptions {
  /** How long a busy database is asked again before the call rejects `unavailable`. */
  readonly busyTimeoutMs: number
}

export function createDatabase(engine: Engine, { busyTimeoutMs }: DatabaseOptions): Database {
  const { classify, longestPauseMs, writeIsolation } = engine
  const kysely = new Kysely<Tables>({ dialect: engine.dialect })
  const running = new Set<Promise<unknown>>()
  let closing: Promise<void> | undefined

  async function run<T>(operation: string, work: () => Promise<T>): Promise<T> {
    if (closing)
      throw new MullionError('closed', `${operation}: the registry was closed`, { details: {}, context: { operation } })
    const call = patiently(work, { classify, longestPauseMs, busyTimeoutMs })
    const settled = call.catch(() => undefined)
    running.add(settled)
    try {
      return await call
    } catch (error) {
      throw asMullionError(operation, error, classify)
    } finally {
      running.delete(settled)
    }
  }

  async function shutDown(): Promise<void> {
    await Promise.all(running)
    await kysely.destroy()
  }

  function writing() {
    const transaction = kysely.transaction()
    return writeIsolation ? transaction.setIsolationLevel(writeIsolation) : transaction
  }

  return {
    engine,
    read: (operation, work) =>
      run(operation, () =>
        kysely.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work),
      ),
    write: (operation, work) => run(operation, () => writing().execute(work)),
    direct: (operation, work) => run(operation, () => work(kysely)),
    isTaken: (error) => classify(error) === 'already_exists',
    close: () => (closing ??= shutDown()),
  }
}

const MESSAGES: { readonly [C in ErrorCode]?: string } = {
  unavailable: 'the database is busy or cannot be reached',
  storage_full: 'the database has no room',
  permission_denied: 'the database may not be opened or written',
  unauthenticated: 'the database does not accept the user or the password',
  closed: 'the registry was closed',
}

export function asMullionError(operation: string, error: unknown, classify: Engine['classify']): unknown {
  if (isMullionError(error)) return error
  const init = { details: {}, context: { operation }, cause: error }
  if (error instanceof CommitUncertain) {
    const what = 'the connection to the database broke while it wrote; whether it did is unknown, read it again'
    return new MullionError('unavailable', `${operation}: ${what}`, { ...init, retryable: false })
  }
  const code = classify(error)
  if (code === 'invalid_config') return invalidConfig([(error as Error).message], error)
  const known = code === undefined ? undefined : MESSAGES[code]
  if (known === undefined) return new MullionError('internal', `${operation}: the database failed; see the cause`, init)
  return new MullionError(code as 'unavailable', `${operation}: ${known}`, init)
}
