import { type Store, type StoreEnv, keyedTurns, orAborted } from 'mullion'
import { area as areaOf } from './area.ts'
import { cleanup as cleanupOf } from './cleanup.ts'
import type { Settings } from './config.ts'
import { connect } from './connect.ts'
import { copyFrom } from './copy.ts'
import { lstat, unlink } from './files.ts'
import { hostKeys } from './host-key.ts'
import { list } from './list.ts'
import type { SftpLocation } from './location.ts'
import { logins } from './login.ts'
import { type Pool, pool as poolOf } from './pool.ts'
import { syncDirectory } from './publish.ts'
import { assertFile, etagOf, read } from './read.ts'
import { sweep } from './sweep.ts'
import { write, type WriteTools } from './write.ts'

export type SftpStore = Required<Omit<Store<SftpLocation>, 'setAcls'>>

/** What a store was made of, so that another one can copy from it. */
const TOOLS = new WeakMap<object, WriteTools>()

/** Reads keys and known hosts, but connects only when there is something to do. Rejects `invalid_config`. */
export async function openSftpStore(settings: Settings, env: StoreEnv): Promise<SftpStore> {
  const server = { settings, hostKeys: await hostKeys(settings), logins: await logins(settings) }
  const cleanup = cleanupOf(() => pool, env.log)
  const pool: Pool = poolOf({
    ...settings,
    async connect(signal) {
      const connection = await connect(server, signal)
      try {
        await orAborted(cleanup.catchUp(connection.session), signal)
      } catch (error) {
        await connection.close()
        throw error
      }
      return connection
    },
  })
  const area = areaOf(settings)
  const tools: WriteTools = { settings, area, pool, cleanup, now: env.now, inTurn: keyedTurns() }
  const closing = new AbortController()
  const sweeping = swept(tools, env, closing.signal)
  const store: SftpStore = {
    read: async (at, options) => read(tools, area.pathOf(at), options),
    stat: async (at, { signal }) => stat(tools, area.pathOf(at), signal),
    write: (key, body, options) => write(tools, key, body, options),
    async copyFrom(key, { store: other, at }, options) {
      const origin = TOOLS.get(other)
      return origin && copyFrom(tools, origin, at as SftpLocation, key, options)
    },
    remove: async (at, { signal }) => remove(tools, area.pathOf(at), signal),
    list: (options) => list(tools, options),
    owns: area.owns,
    async close() {
      closing.abort()
      await Promise.all([sweeping, pool.close()]) // closing the pool ends a request of the sweep
      cleanup.report()
    },
  }
  TOOLS.set(store, tools)
  return store
}

async function swept({ settings, pool, area }: WriteTools, env: StoreEnv, signal: AbortSignal): Promise<void> {
  const { root, staleUploadMs } = settings
  if (staleUploadMs !== undefined) await sweep(pool, area, env, { root, staleUploadMs, signal })
}

async function stat(
  { pool, now }: WriteTools,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly size: number; readonly etag: string | undefined }> {
  const { first, release } = await pool.borrow(signal, (session) => lstat(session, path))
  release()
  assertFile(first)
  return { size: first.size, etag: etagOf(first, now()) }
}

async function remove({ pool, settings }: WriteTools, path: string, signal: AbortSignal): Promise<void> {
  const { session, first, release } = await pool.borrow(signal, (each) => lstat(each, path))
  try {
    assertFile(first)
    await unlink(session, path)
    await syncDirectory(session, settings.root)
  } finally {
    release()
  }
}
