import { constants } from 'node:fs'
import type { CopyFromOptions, CopyFromResult } from 'mullion'
import { errnoOf } from './errors.ts'
import { openRegular } from './read.ts'
import type { WriteTools } from './tools.ts'
import { make } from './write.ts'

/** What a file system says that cannot share blocks between these two files, or this process without /proc. */
const CANNOT_CLONE = ['EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'ENOTTY', 'ENOSYS', 'ENOENT', 'EPERM']

/**
 * A copy that shares its blocks with the origin until one of them changes (ioctl_ficlone(2)): btrfs, XFS, bcachefs. Undefined
 * elsewhere: the copy_file_range(2) of Node cannot be stopped, and it fills holes.
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
  const { size } = await origin.stat()
  try {
    const made = await make(tools, key, { ...options, size }, async (partial) => {
      const mode = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE
      await disk.copyFile(`/proc/self/fd/${origin.fd}`, partial, mode).catch((error: unknown) => {
        unable = CANNOT_CLONE.includes(errnoOf(error) ?? '')
        throw error
      })
      await using copy = await disk.open(partial, 'r+')
      if (settings.permissions !== undefined) await copy.chmod(settings.permissions)
      await copy.sync()
    })
    return { ...made, size }
  } catch (error) {
    if (unable) return undefined
    throw error
  }
}
