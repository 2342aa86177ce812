import { alreadyExists, failure, ifExists, isStatus, STATUS, StatusError } from './errors.ts'
import { close, create, hardlink, lstat, openToRead, rename, unlink, write } from './files.ts'
import { durable } from './output.ts'
import type { Session } from './session.ts'

/** The names of one upload, and how far the last of them got. */
export interface Upload {
  readonly key: string
  readonly root: string
  readonly partial: string
  readonly lock: string
  readonly path: string
  /** How the server was asked to give the final name. That it was asked does not say that it did. */
  named?: 'link' | 'rename'
  /** `asked`: whether the server created the lock is not known. */
  locked?: 'asked' | 'yes' | 'no'
}

/** Rejects `already_exists`. */
export async function assertFree(session: Session, { path, key }: Pick<Upload, 'path' | 'key'>): Promise<void> {
  if (await exists(session, path)) throw alreadyExists(key)
}

async function exists(session: Session, path: string): Promise<boolean> {
  return (await ifExists(lstat(session, path))) !== undefined
}

/** Gives the complete partial file its final name, durably, unless the name is taken: `already_exists`. */
export async function publish(session: Session, upload: Upload): Promise<void> {
  if (!(await linked(session, upload))) {
    await renameLocked(session, upload)
    if (!(await exists(session, upload.path)))
      throw failure('unavailable', `${upload.path} is gone after its rename`, {})
  }
  await syncDirectory(session, upload.root)
}

/** A link never replaces anything. False where the server, or its file system, has none. */
async function linked(session: Session, upload: Upload): Promise<boolean> {
  if (!(await hasLinks(session, upload))) return false
  upload.named = 'link'
  try {
    await hardlink(session, upload.partial, upload.path)
    return true
  } catch (error) {
    if (session.dropped) throw error
    delete upload.named
    await assertFree(session, upload) // "Failure" is also the answer where the name is taken
    // EPERM (vfat, exfat, some FUSE and NFS) is 3, EOPNOTSUPP 4, ENOSYS 8
    if (isStatus(error, STATUS.permissionDenied, STATUS.failure, STATUS.unsupported)) return false
    throw error
  }
}

const LINKS = new WeakMap<Session['offers'], boolean>()

/** Some servers say yes to a link and make none, such as that of rclone: they say so too when there is nothing to link. */
async function hasLinks(session: Session, { partial }: Upload): Promise<boolean> {
  if (!session.offers.hardlink) return false
  const known = LINKS.get(session.offers)
  if (known !== undefined) return known
  const isTrue = await hardlink(session, `${partial}.none`, `${partial}.link`).then(
    () => false,
    () => true,
  )
  if (!session.dropped) LINKS.set(session.offers, isTrue)
  return isTrue
}

/**
 * A rename may replace, by server and file system: OpenSSH links and unlinks, but renames where there are no links. Hence
 * the lock, which keeps every other mullion process from the same name.
 */
async function renameLocked(session: Session, upload: Upload): Promise<void> {
  const { lock, partial, path } = upload
  await takeLock(session, upload)
  await assertFree(session, upload)
  upload.named = 'rename'
  try {
    await rename(session, partial, path)
  } catch (error) {
    if (session.dropped) throw error
    delete upload.named
    await assertFree(session, upload)
    throw error
  }
  await unlink(session, lock)
  upload.locked = 'no'
}

/** Its owner writes into it: an empty one may be that of somebody who never learned that he has it, see `isOurLock`. */
async function takeLock(session: Session, upload: Upload): Promise<void> {
  const { key, lock, partial } = upload
  upload.locked = 'asked'
  const handle = await create(session, lock, undefined).catch(async (error: unknown) => {
    if (session.dropped) throw error
    upload.locked = 'no'
    if (!isStatus(error, STATUS.failure)) throw error
    await assertFree(session, upload)
    throw (await exists(session, lock)) ? alreadyExists(key) : error
  })
  upload.locked = 'yes'
  const owner = Buffer.from(partial)
  await write(session, handle, lock, owner, 0).catch((error: unknown) => {
    if (!(error instanceof StatusError)) throw error // a disk that has become full is no reason to fail
  })
  await close(session, handle, lock)
  if (await exists(session, lock)) return
  upload.locked = 'no'
  throw failure('unavailable', `${lock} was removed while ${key} was published`, {})
}

/**
 * After a lost answer to the creation of the lock. One with an owner in it, or older than the bytes of the upload, is
 * that of another; a living owner of one that is still empty looks again before it goes on.
 */
export async function isOurLock(session: Session, { lock, partial }: Upload): Promise<boolean> {
  const found = await ifExists(lstat(session, lock))
  const bytes = await ifExists(lstat(session, partial))
  return found?.size === 0 && bytes !== undefined && found.mtimeMs >= bytes.mtimeMs
}

/** Makes names durable. OpenSSH opens a directory like a file; what does not, or cannot sync one, keeps its own promises. */
export async function syncDirectory(session: Session, root: string): Promise<void> {
  if (!session.offers.fsync) return
  try {
    const handle = await openToRead(session, root)
    const closed = (): Promise<void> => close(session, handle, root)
    await durable(session, handle, root).then(closed, closed)
  } catch (error) {
    if (session.dropped) throw error
  }
}
