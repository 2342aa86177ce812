import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import type { DirectorySetting } from './config.ts'
import type { Disk } from './disk.ts'
import { refused } from './errors.ts'

/** What the store may touch: everything below its directories, except names that start with a dot. */
export interface Area {
  /** By the text of the path alone. */
  owns(path: string): boolean
  /**
   * The path with symbolic links in its directories followed; the last segment is left as it is. Rejects
   * `invalid_location` when that leads out of the directories, and `ENOENT`.
   */
  resolve(path: string): Promise<string>
}

export function area(disk: Disk, directories: readonly DirectorySetting[]): Area {
  const rootOf = (path: string): string | undefined =>
    directories.find((directory) => isBelow(directory.path, path))?.path
  return {
    owns: (path) => rootOf(path) !== undefined,
    async resolve(path) {
      const root = rootOf(path)
      if (root === undefined) throw refused('outside the directories of the store')
      const [realRoot, realParent] = await Promise.all([disk.realpath(root), disk.realpath(dirname(path))])
      const real = join(realParent, basename(path))
      if (!isBelow(realRoot, real)) throw refused('outside the directories of the store')
      return real
    },
  }
}

function isBelow(root: string, path: string): boolean {
  if (path !== resolve(path) || path.includes('\0')) return false
  const rest = relative(root, path)
  if (rest === '' || isAbsolute(rest)) return false
  return rest.split(sep).every((segment) => !segment.startsWith('.')) // partial files, locks, and ".."
}
