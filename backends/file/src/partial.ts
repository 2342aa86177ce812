import { createHash, randomBytes } from 'node:crypto'
import { basename, join } from 'node:path'
import type { StoreEnv } from 'mullion'
import type { Disk } from './disk.ts'
import { errnoOf } from './errors.ts'
import { formatIdentity, isRunning, parseIdentity, type ProcessIdentity } from './process.ts'

const PARTIAL = /^\.[A-Za-z0-9._-]+\.([0-9a-f]{8}-\d+-[0-9a-f]{8})\.[0-9a-f]{16}\.part$/
const LOCK = /^\.[0-9a-f]{64}\.lock$/
const SHOWN_KEY = 128 // characters; with all of a long key the name would not fit into the 255 bytes a name may have

/** A new name for each call. It starts with a dot, as no key does, and tells a later start whose file it is. */
export function partialName(key: string, owner: ProcessIdentity): string {
  return `.${key.slice(0, SHOWN_KEY)}.${formatIdentity(owner)}.${randomBytes(8).toString('hex')}.part`
}

/** The same name for the same key, whatever its length. The file holds the identity of its owner. */
export function lockName(key: string): string {
  return `.${createHash('sha256').update(key).digest('hex')}.lock`
}

/** Whether a name is one that `partialName` or `lockName` made. */
export function isOurs(name: string): boolean {
  return PARTIAL.test(name) || LOCK.test(name)
}

/** Whether the process runs that a partial file or a lock names; undefined when nobody here can tell. */
export async function ownerRuns(disk: Disk, path: string, self: ProcessIdentity): Promise<boolean | undefined> {
  const owner = parseIdentity(PARTIAL.exec(basename(path))?.[1] ?? (await disk.readFile(path, 'utf8')))
  return owner && (await isRunning(owner, self))
}

export interface SweepOptions {
  readonly self: ProcessIdentity
  readonly stalePartialMs: number
}

/**
 * Removes what processes left that ended while writing. A file of a living process of this host stays; one of another
 * host goes once nothing was written to it for `stalePartialMs`. Everything is reported, failures included.
 */
export async function sweep(disk: Disk, directory: string, env: StoreEnv, options: SweepOptions): Promise<void> {
  try {
    for await (const { name } of await disk.opendir(directory)) {
      if (isOurs(name)) await sweepOne(disk, join(directory, name), env, options)
    }
  } catch (error) {
    env.log('could not look for what interrupted writes left', { directory, error })
  }
}

async function sweepOne(disk: Disk, path: string, env: StoreEnv, options: SweepOptions): Promise<void> {
  try {
    const left = await leftover(disk, path, env.now(), options)
    if (left === undefined) return
    await disk.unlink(path)
    env.log('removed a file that an interrupted write left', { path, bytes: left.bytes })
  } catch (error) {
    // ENOENT: its writer, or another store that opens, was faster
    if (errnoOf(error) !== 'ENOENT') env.log('could not remove what an interrupted write left', { path, error })
  }
}

async function leftover(
  disk: Disk,
  path: string,
  now: number,
  { self, stalePartialMs }: SweepOptions,
): Promise<{ readonly bytes: number } | undefined> {
  const found = await disk.lstat(path)
  if (!found.isFile()) return undefined
  const running = await ownerRuns(disk, path, self)
  const abandoned = running === undefined ? now - found.mtimeMs > stalePartialMs : !running
  return abandoned ? { bytes: found.size } : undefined
}
