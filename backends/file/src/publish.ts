import { dirname, join } from 'node:path'
import { syncDirectory } from './disk.ts'
import { alreadyExists, errnoOf, ifExists } from './errors.ts'
import { lockName } from './partial.ts'
import { formatIdentity } from './process.ts'
import type { WriteTools } from './tools.ts'

export interface PublishOptions {
  readonly key: string
  readonly signal: AbortSignal
}

/**
 * Gives the complete partial file its final name, durably, unless the name is taken: `already_exists`. Whatever fails
 * once the name was given, or an abort until the end, takes it away again.
 */
export async function publish(tools: WriteTools, partial: string, at: string, options: PublishOptions): Promise<void> {
  const { disk } = tools
  const directory = dirname(at)
  await giveName(tools, partial, at, options.key)
  try {
    await refuseTwin(tools, at, options.key)
    await ifExists(disk.unlink(partial)) // a rename has moved it already
    await syncDirectory(disk, directory)
    options.signal.throwIfAborted()
  } catch (error) {
    await takeBack(tools, at)
    throw error
  }
}

/** What `link` answers on a file system without hard links: vfat, exfat, some FUSE and CIFS mounts. */
const NO_HARD_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']

/** Unlike `rename`, `link` refuses an existing name. */
async function giveName(tools: WriteTools, partial: string, at: string, key: string): Promise<void> {
  const { disk } = tools
  try {
    await disk.link(partial, at)
  } catch (error) {
    const code = errnoOf(error) ?? ''
    // open(2), on NFS: the answer to a link may get lost and its repetition fail; a count of 2 tells that it succeeded
    if ((await disk.lstat(partial).catch(() => undefined))?.nlink === 2) return
    if (code === 'EEXIST') throw alreadyExists(key)
    if (!NO_HARD_LINKS.includes(code)) throw error
    await renameLocked(tools, partial, at, key)
  }
}

/** `rename` replaces what exists, hence the lock: it keeps every other mullion process from the same name. */
async function renameLocked({ disk, self, log }: WriteTools, partial: string, at: string, key: string): Promise<void> {
  const lock = join(dirname(at), lockName(key))
  const handle = await disk.open(lock, 'wx').catch((error: unknown) => {
    throw errnoOf(error) === 'EEXIST' ? alreadyExists(key) : error
  })
  try {
    try {
      await handle.writeFile(formatIdentity(self))
    } finally {
      await handle.close()
    }
    if (await ifExists(disk.lstat(at))) throw alreadyExists(key)
    await disk.rename(partial, at)
  } finally {
    // left behind it keeps its key from being written until this process has ended: not worth undoing a rename
    await disk.unlink(lock).catch((error: unknown) => log('could not remove a lock', { path: lock, error }))
  }
}

/**
 * Another process may have written the key into another directory meanwhile. Both may find the other and give up, but
 * never do both stay.
 */
async function refuseTwin({ disk, settings }: WriteTools, at: string, key: string): Promise<void> {
  const others = settings.directories.map(({ path }) => join(path, key)).filter((path) => path !== at)
  const found = await Promise.all(others.map((path) => ifExists(disk.lstat(path))))
  if (found.some((entry) => entry !== undefined)) throw alreadyExists(key)
}

async function takeBack({ disk, log }: WriteTools, at: string): Promise<void> {
  try {
    await disk.unlink(at)
    await syncDirectory(disk, dirname(at))
  } catch (error) {
    log('could not remove a file whose write failed', { path: at, error })
  }
}
