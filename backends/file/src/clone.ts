import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { type CopyFromOptions, type CopyFromResult, MullionError } from 'mullion'
import { errnoOf } from './errors.ts'
import { etagOf, openRegular } from './read.ts'
import type { WriteTools } from './tools.ts'
import { make } from './write.ts'

/** What a file system says that cannot share blocks between these two files, or this process without /proc. */
const CANNOT_CLONE = ['EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOTTY', 'ENOSYS', 'ENOENT', 'EPERM']

/**
 * A copy that shares its blocks with the origin until one of them changes (ioctl_ficlone(2)): btrfs, XFS, bcachefs. Undefined
 * elsewhere: the copy_file_range(2) of Node cannot be stopped, and it fills holes. Rejects `conflict` when the origin is
 * not what `etag` says.
 */
export async function clone(
  tools: WriteTools,
  path: string,
  key: string,
  options: CopyFromOptions<string>,
): Promise<CopyFromResult<string> | undefined> {
  const { disk, settings } = tools
  await using origin = await openRegular(disk, path)
  let unable = false
  let size = await sizeOf(origin, options.etag)
  try {
    const made = await make(tools, key, { ...options, size }, async (partial) => {
      // made here, so that without `permissions` umask and default ACLs decide: copyFile() takes the mode of the origin
      await using copy = await disk.open(partial, 'wx', settings.permissions === undefined ? 0o666 : 0o600)
      const { mode } = await copy.stat()
      await disk
        .copyFile(`/proc/self/fd/${origin.fd}`, partial, constants.COPYFILE_FICLONE_FORCE)
        .catch((error: unknown) => {
          unable = CANNOT_CLONE.includes(errnoOf(error) ?? '')
          throw error
        })
      await sizeOf(origin, options.etag)
      await copy.chmod(settings.permissions ?? mode & 0o777)
      await copy.sync()
      size = (await copy.stat()).size
    })
    return { ...made, size }
  } catch (error) {
    if (unable) return undefined
    throw error
  }
}

async function sizeOf(origin: FileHandle, expected: string | undefined): Promise<number> {
  const found = await origin.stat({ bigint: true })
  if (expected === undefined || etagOf(found) === expected) return Number(found.size)
  throw new MullionError('conflict', 'file store: the origin changed before it was copied', { details: { expected } })
}
