import { type Store, type StoreEnv, keyedTurns } from 'mullion'
import type { RbdSettings } from './config.ts'
import { Connection } from './connection.ts'
import { copyFrom, insides } from './copy.ts'
import { Leftovers } from './leftovers.ts'
import { list } from './list.ts'
import type { RbdLocation } from './location.ts'
import { read, stat } from './read.ts'
import { remove } from './remove.ts'
import type { Tools } from './tools.ts'
import { write } from './write.ts'

export type RbdStore = Store<RbdLocation> &
  Required<Pick<Store<RbdLocation>, 'write' | 'copyFrom' | 'remove' | 'list' | 'owns' | 'close'>>

/** Loads the libraries, and leaves the cluster for the first call. Rejects `invalid_config`. */
export async function openRbd(settings: RbdSettings, env: StoreEnv): Promise<RbdStore> {
  const connection = new Connection(settings, env.log)
  await connection.load()
  const leftovers = new Leftovers({ connection, log: env.log, now: env.now })
  const tools: Tools = { settings, connection, env, leftovers, inTurn: keyedTurns() }
  const store: RbdStore = {
    read: (at, options) => read(tools, at, options),
    stat: (at, { signal }) => stat(tools, at, signal),
    write: (key, body, options) => write(tools, key, body, options),
    copyFrom: (key, origin, options) => copyFrom(tools, key, origin, options),
    remove: (at, options) => remove(tools, at, options),
    list: (options) => list(tools, options),
    owns: (at) => owns(tools, at),
    async close() {
      const left = leftovers.close()
      await connection.close()
      await left
    },
  }
  insides.set(store, tools)
  if (settings.staleUploadMs !== false) void leftovers.sweep(settings.staleUploadMs)
  return store
}

/** As long as the id of the cluster is not known, the pool decides alone. */
function owns({ settings: { pool, namespace }, connection: { fsid } }: Tools, { at }: RbdLocation): boolean {
  if (!at) return true
  return at.pool === pool && at.namespace === namespace && (fsid === undefined || at.fsid.toLowerCase() === fsid)
}
