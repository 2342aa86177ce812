import { dirname } from 'node:path'
import { type Store, type StoreEnv, keyedTurns } from 'mullion'
import type { Settings } from './config.ts'
import { type Area, area } from './area.ts'
import { prepareDirectories } from './directories.ts'
import { type Disk, realDisk, syncDirectory } from './disk.ts'
import { refused } from './errors.ts'
import { list } from './list.ts'
import { sweep } from './partial.ts'
import { thisProcess } from './process.ts'
import { clone } from './clone.ts'
import { etagOf, read } from './read.ts'
import type { WriteTools } from './tools.ts'
import { write } from './write.ts'

/** Addresses are absolute paths. */
export type FileStore = Store<string> & Required<Pick<Store<string>, 'write' | 'copyFrom' | 'remove' | 'list' | 'owns'>>

/** Creates the directories and removes what crashed processes left. Rejects `permission_denied`, `invalid_config`. */
export async function openFileStore(settings: Settings, env: StoreEnv, disk: Disk = realDisk): Promise<FileStore> {
  await prepareDirectories(disk, settings.directories, env.id)
  const self = await thisProcess()
  const { stalePartialMs } = settings
  for (const { path } of settings.directories) await sweep(disk, path, env, { self, stalePartialMs })
  const inside = area(disk, settings.directories)
  const tools: WriteTools = { disk, settings, self, log: env.log, inTurn: keyedTurns() }
  const store: FileStore = {
    read: async (at, options) => read(disk, await inside.resolve(at), options),
    stat: async (at) => stat(disk, inside, at),
    write: (key, body, options) => write(tools, key, body, options),
    async copyFrom(key, { store: other, at }, options) {
      const path = await areas.get(other)?.resolve(at as string)
      return path === undefined ? undefined : clone(tools, path, key, options)
    },
    remove: async (at) => remove(disk, inside, at),
    list: (options) => list({ disk, directories: settings.directories, self }, options),
    owns: (at) => inside.owns(at),
  }
  areas.set(store, inside)
  return store
}

/** What opened stores may touch, so that one can copy from another. */
const areas = new WeakMap<object, Area>()

async function stat(disk: Disk, inside: Area, at: string): Promise<{ readonly size: number; readonly etag: string }> {
  const found = await disk.lstat(await inside.resolve(at), { bigint: true })
  if (!found.isFile()) throw refused('not a regular file')
  return { size: Number(found.size), etag: etagOf(found) }
}

async function remove(disk: Disk, inside: Area, at: string): Promise<void> {
  const path = await inside.resolve(at)
  if (!(await disk.lstat(path)).isFile()) throw refused('not a regular file')
  await disk.unlink(path)
  await syncDirectory(disk, dirname(path))
}
