import { setTimeout as wait } from 'node:timers/promises'
import { Kysely, type Transaction } from 'kysely'
import { type ErrorCode, isMullionError, MullionError } from 'mullion'
import type { Engine } from './engine.ts'
import type { Tables } from './schema.ts'

export type Query = Transaction<Tables>

/** A database with one way to read and one way to write, both of which see or leave a consistent state only. */
export interface Database {
  /** Runs `work` on one snapshot. */
  read<T>(operation: string, work: (query: Query) => Promise<T>): Promise<T>
  /** Runs `work` in one transaction: all or nothing. `work` may run again when the database was busy. */
  write<T>(operation: string, work: (query: Query) => Promise<T>): Promise<T>
  /** Runs `work` outside of a transaction, with the same errors and attempts. */
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

export function createDatabase(engine: Engine, options: DatabaseOptions): Database {
  const kysely = new Kysely<Tables>({ dialect: engine.dialect })
  const running = new Set<Promise<unknown>>()
  let closing: Promise<void> | undefined

  async function run<T>(operation: string, work: () => Promise<T>): Promise<T> {
    if (closing)
      throw new MullionError('closed', `${operation}: the registry was closed`, { details: {}, context: { operation } })
    const call = patiently(work, engine.classify, options.busyTimeoutMs)
    const settled = call.catch(() => undefined)
    running.add(settled)
    try {
      return await call
    } catch (error) {
      throw asMullionError(operation, error, engine.classify)
    } finally {
      running.delete(settled)
    }
  }

  async function shutDown(): Promise<void> {
    await Promise.all(running)
    await kysely.destroy()
  }

  return {
    read: (operation, work) =>
      run(operation, () =>
        kysely.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work),
      ),
    write: (operation, work) => run(operation, () => kysely.transaction().execute(work)),
    direct: (operation, work) => run(operation, () => work(kysely)),
    isTaken: (error) => engine.classify(error) === 'already_exists',
    close: () => (closing ??= shutDown()),
  }
}

/** Repeats `work` while the database is busy. Waits without holding the connection or the thread. */
export async function patiently<T>(
  work: () => T | Promise<T>,
  classify: Engine['classify'],
  busyTimeoutMs: number,
): Promise<T> {
  const deadline = performance.now() + busyTimeoutMs
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (classify(error) !== 'unavailable' || performance.now() >= deadline) throw error
      await wait(Math.min(50, 2 ** attempt) * (0.5 + Math.random() / 2))
    }
  }
}

const MESSAGES: { readonly [C in ErrorCode]?: string } = {
  unavailable: 'the database is busy',
  storage_full: 'the database has no room',
  permission_denied: 'the database may not be opened or written',
  closed: 'the registry was closed',
}

export function asMullionError(operation: string, error: unknown, classify: Engine['classify']): unknown {
  if (isMullionError(error)) return error
  const code = classify(error)
  const known = code === undefined ? undefined : MESSAGES[code]
  const init = { details: {}, context: { operation }, cause: error }
  if (known === undefined) return new MullionError('internal', `${operation}: the database failed; see the cause`, init)
  return new MullionError(code as 'unavailable', `${operation}: ${known}`, init)
}
