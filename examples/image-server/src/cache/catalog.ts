import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MullionError } from 'mullion'

/** One image on the disk, as it is remembered over restarts. Times are milliseconds since the epoch. */
export interface EntryRow {
  /** Names the content. */
  readonly key: string
  /** Names the file: a content that comes again has another, so that a late removal cannot hit it. */
  readonly file: string
  readonly imageId: string
  readonly size: number
  readonly hits: number
  readonly lastAccessed: number
  readonly lastModified: number
}

/**
 * What is in a cache directory and what is to come into it. Holding it open holds the directory: a second server is
 * refused. The files are the data; this is only what they do not say, so a broken catalog is replaced by an empty one.
 */
export interface Catalog {
  /** Least recently read first. */
  entries(): EntryRow[]
  /** Adds or replaces, in one transaction. */
  put(entries: readonly EntryRow[]): void
  remove(keys: readonly string[]): void
  /** Oldest first. */
  queue(): string[]
  /** At the end of the queue, whether or not it was in it. */
  enqueue(imageId: string): void
  dequeue(imageId: string): void
  close(): void
}

/** Throws `in_use` when another server has the directory. */
export function openCatalog(dir: string): Catalog {
  try {
    return catalog(openDatabase(dir))
  } catch (error) {
    if (codeOf(error) === SQLITE_BUSY) {
      throw new MullionError('in_use', `cache directory ${dir}: another server uses it; give each its own cache.dir`, {
        details: { location: dir },
        cause: error,
      })
    }
    if (!BROKEN.has(codeOf(error) ?? 0)) throw error
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(join(dir, FILE + suffix), { force: true })
    return catalog(openDatabase(dir))
  }
}

const FILE = 'catalog.sqlite'
const VERSION = 1
const SQLITE_BUSY = 5
const BROKEN: ReadonlySet<number> = new Set([11, 26]) // SQLITE_CORRUPT, SQLITE_NOTADB

const codeOf = (error: unknown): number | undefined => (error as { readonly errcode?: number }).errcode

/** The exclusive mode keeps the lock from the first transaction until the end of the process, whatever ends it. */
function openDatabase(dir: string): DatabaseSync {
  const database = new DatabaseSync(join(dir, FILE), { timeout: 0 })
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
    database.exec('BEGIN IMMEDIATE')
    const version = database.prepare('PRAGMA user_version').get()?.['user_version']
    if (version !== VERSION) database.exec(`DROP TABLE IF EXISTS entries; DROP TABLE IF EXISTS queue; ${SCHEMA}`)
    database.exec('COMMIT')
    const check = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
    if (check !== 'ok') throw Object.assign(new Error(`catalog: ${String(check)}`), { errcode: 11 })
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

const SCHEMA = `
  CREATE TABLE entries (
    key TEXT PRIMARY KEY, file TEXT NOT NULL, image_id TEXT NOT NULL, size INTEGER NOT NULL, hits INTEGER NOT NULL,
    last_accessed INTEGER NOT NULL, last_modified INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE queue (position INTEGER PRIMARY KEY AUTOINCREMENT, image_id TEXT NOT NULL UNIQUE);
  PRAGMA user_version = ${VERSION};`

function catalog(database: DatabaseSync): Catalog {
  const all = database.prepare(
    `SELECT key, file, image_id AS imageId, size, hits, last_accessed AS lastAccessed, last_modified AS lastModified
     FROM entries ORDER BY last_accessed, key`,
  )
  const put = database.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)')
  const remove = database.prepare('DELETE FROM entries WHERE key = ?')
  const queue = database.prepare('SELECT image_id AS imageId FROM queue ORDER BY position')
  const enqueue = database.prepare('INSERT OR REPLACE INTO queue (image_id) VALUES (?)')
  const dequeue = database.prepare('DELETE FROM queue WHERE image_id = ?')
  return {
    entries: () => all.all() as unknown as EntryRow[],
    put: (entries) =>
      atOnce(database, () => {
        for (const { key, file, imageId, size, hits, lastAccessed, lastModified } of entries) {
          put.run(key, file, imageId, size, hits, lastAccessed, lastModified)
        }
      }),
    remove: (keys) =>
      atOnce(database, () => {
        for (const key of keys) remove.run(key)
      }),
    queue: () => queue.all().map(({ imageId }) => imageId as string),
    enqueue: (imageId) => void enqueue.run(imageId),
    dequeue: (imageId) => void dequeue.run(imageId),
    close: () => database.close(),
  }
}

function atOnce(database: DatabaseSync, run: () => void): void {
  database.exec('BEGIN')
  try {
    run()
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}
