import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { codeOf, StartFailure } from './failure.ts'

/** The data directory, held by this process until `release`, or until the process ends in whatever way. */
export interface DataDir {
  readonly path: string
  /** Made with the directory, and kept: two processes with one id never run at once. */
  readonly id: string
  release(): void
}

/**
 * Makes the directory (0700) when it is missing, checks that files can be made in it, and takes its lock: start-up
 * recovery is only right when nobody else works on the same images. Throws StartFailure.
 */
export function holdDataDir(path: string): DataDir {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const probe = join(path, `.probe-${randomUUID()}`)
    writeFileSync(probe, 'x', { flag: 'wx', mode: 0o600 })
    rmSync(probe)
    return held(path)
  } catch (error) {
    if (error instanceof StartFailure) throw error
    throw new StartFailure(`data directory ${path}: ${UNUSABLE[codeOf(error) ?? ''] ?? String(error)}`, {
      cause: error,
    })
  }
}

function held(path: string): DataDir {
  const lock = takeLock(path)
  try {
    writeFileSync(join(path, PID_FILE), `${process.pid}\n`, { mode: 0o600 })
    return {
      path,
      id: idOf(path),
      release() {
        rmSync(join(path, PID_FILE), { force: true })
        lock.close()
      },
    }
  } catch (error) {
    lock.close()
    throw error
  }
}

const PID_FILE = 'server.pid'
const ID_FILE = 'server.id'
const SQLITE_BUSY = 5

const UNUSABLE: Readonly<Record<string, string>> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is a file',
  EEXIST: 'it is a file',
  ENOSPC: 'the file system is full',
}

/**
 * An SQLite lock is a lock of the system on an open file: unlike a file with a process id it cannot outlive its
 * process, and it needs no guess about whether that process is the same one still.
 */
function takeLock(path: string): DatabaseSync {
  const lock = new DatabaseSync(join(path, 'server.lock'))
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error
    throw new StartFailure(`data directory ${path}: another server uses it${holder(path)}`, { cause: error })
  }
}

function idOf(path: string): string {
  const file = join(path, ID_FILE)
  const kept = existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
  if (/^[0-9a-f-]{36}$/.test(kept)) return kept
  const id = randomUUID()
  writeFileSync(file, `${id}\n`, { mode: 0o600, flush: true })
  return id
}

function holder(path: string): string {
  try {
    return ` (process ${readFileSync(join(path, PID_FILE), 'utf8').trim()})`
  } catch {
    return ''
  }
}
