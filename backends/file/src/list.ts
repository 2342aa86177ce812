import type { BigIntStats } from 'node:fs'
import { join } from 'node:path'
import { type Listed, type ListedPartial, type ListOptions, MullionError } from 'mullion'
import type { DirectorySetting } from './config.ts'
import type { Disk } from './disk.ts'
import { errnoOf, ifExists } from './errors.ts'
import { isOurs, ownerRuns } from './partial.ts'
import type { ProcessIdentity } from './process.ts'
import { KEY } from './write.ts'

export interface ListTools {
  readonly disk: Disk
  readonly directories: readonly DirectorySetting[]
  readonly self: ProcessIdentity
}

/** Regular files right in the directories that have the name of a key or of a partial file. Nothing is followed. */
export async function* list(tools: ListTools, { signal, alive }: ListOptions): AsyncGenerator<Listed<string>> {
  const { disk, directories } = tools
  for (const { path: directory } of directories) {
    const entries = await disk.opendir(directory).catch((error: unknown) => {
      throw errnoOf(error) === 'ENOENT' ? gone(directory) : error
    })
    for await (const { name } of entries) {
      signal.throwIfAborted()
      alive()
      if (!KEY.test(name) && !isOurs(name)) continue
      const path = join(directory, name)
      const found = await ifExists(disk.lstat(path, { bigint: true }))
      if (found?.isFile())
        yield KEY.test(name) ? { kind: 'object', at: path, ...factsOf(found) } : partial(tools, path, found)
    }
  }
}

function factsOf({ size, mtimeMs }: BigIntStats): { readonly size: number; readonly modifiedAt: Date } {
  return { size: Number(size), modifiedAt: new Date(Number(mtimeMs)) }
}

/** While its object is being published a partial file is a second name of it: losing that name does the object no harm. */
function partial({ disk, self }: ListTools, path: string, listed: BigIntStats): ListedPartial {
  return {
    kind: 'partial',
    name: path,
    ...factsOf(listed),
    async remove() {
      const isRunning = await ifExists(ownerRuns(disk, path, self))
      const found = await ifExists(disk.lstat(path, { bigint: true }))
      if (!found) return
      if (!isSame(found, listed)) throw changed(path)
      if (isRunning) throw busy(path)
      await ifExists(disk.unlink(path))
    },
  }
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.dev === b.dev && a.mtimeNs === b.mtimeNs && a.size === b.size
}

function gone(directory: string): MullionError<'unavailable'> {
  const message = `file store: directory ${directory} is not there any more`
  return new MullionError('unavailable', message, { details: {}, retryable: false })
}

function changed(path: string): MullionError<'conflict'> {
  const message = `file store: ${path} changed since it was listed`
  return new MullionError('conflict', message, { details: { expected: path } })
}

function busy(location: string): MullionError<'in_use'> {
  return new MullionError('in_use', `file store: ${location} belongs to a running process`, { details: { location } })
}
