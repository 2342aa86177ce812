import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { onTestFinished } from 'vitest'
import { openRegistry, type SqlConfig, type SqlRegistry } from '@mullion/sql'

/** A database file that goes when the test is over. */
export async function temporaryFile(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mullion-sql-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return join(directory, 'registry.db')
}

/** A registry that is closed when the test is over. */
export async function opened(config: SqlConfig, now?: () => Date): Promise<SqlRegistry> {
  const registry = await openRegistry(config, now ? { now } : {})
  onTestFinished(() => registry.close())
  return registry
}

/** Looks at the file past the library. */
export function rows(file: string, sql: string, ...values: readonly string[]): Record<string, unknown>[] {
  const database = new DatabaseSync(file)
  try {
    return database.prepare(sql).all(...values)
  } finally {
    database.close()
  }
}
