import { closeSync, openSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MullionError } from 'mullion'

const MEMORY = ':memory:'

/**
 * Opens the file, which is created readable by its owner only; SQLite gives the -wal and -shm files the same mode.
 * The directory has to exist. `:memory:` lives as long as the process.
 */
export function openFile(file: string): DatabaseSync {
  // An absolute path: SQLite takes text that starts with file: for a URI.
  const path = file === MEMORY ? MEMORY : resolve(file)
  if (path !== MEMORY) closeSync(openSync(path, 'a', 0o600))
  const database = new DatabaseSync(path)
  try {
    configure(database, path)
  } catch (error) {
    database.close()
    throw error
  }
  return database
}

function configure(database: DatabaseSync, path: string): void {
  // Waiting would block the event loop, and with it the holder of the lock if that lives in this process.
  database.exec('pragma busy_timeout = 0')
  const { journal_mode: mode } = database.prepare('pragma journal_mode = wal').get() as {
    readonly journal_mode: string
  }
  if (mode !== 'wal' && path !== MEMORY) {
    throw new MullionError(
      'invalid_config',
      `sql: file: ${path}: the file system does not support write-ahead logging`,
      {
        details: { plugin: 'sql', issues: ['file: the file system does not support write-ahead logging'] },
      },
    )
  }
  // In WAL mode NORMAL may lose the last transactions with the power; an answer that was given has to stand.
  database.exec('pragma synchronous = full; pragma fullfsync = on; pragma foreign_keys = on')
}
