import * as promises from 'node:fs/promises'
import { errnoOf } from './errors.ts'

/** What the store needs of a file system. An argument, so that tests can run on another one or let a call fail. */
export type Disk = Pick<
  typeof promises,
  | 'access'
  | 'copyFile'
  | 'link'
  | 'lstat'
  | 'mkdir'
  | 'open'
  | 'opendir'
  | 'readFile'
  | 'realpath'
  | 'rename'
  | 'stat'
  | 'statfs'
  | 'unlink'
>

export const realDisk: Disk = promises

/** Makes additions to and removals from a directory durable. */
export async function syncDirectory(disk: Disk, path: string): Promise<void> {
  const directory = await disk.open(path, 'r')
  try {
    await directory.sync()
  } catch (error) {
    // some network and FUSE file systems cannot, and need not
    if (!['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(errnoOf(error) ?? '')) throw error
  } finally {
    await directory.close()
  }
}
