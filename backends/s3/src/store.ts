import type { Store, StoreEnv } from 'mullion'
import { createClient } from './client.ts'
import type { S3Settings } from './config.ts'
import { copy } from './copy.ts'
import { list } from './list.ts'
import { ownedBy, type S3Location } from './location.ts'
import { read, remove, stat } from './object.ts'
import { sweepUploads } from './sweep.ts'
import type { Tools } from './tools.ts'
import { write } from './write.ts'

type Present = 'write' | 'copyFrom' | 'remove' | 'list' | 'owns' | 'close'
export type S3Store = Store<S3Location> & Required<Pick<Store<S3Location>, Present>>

/** What is behind the stores of this plugin, for copies from one to another. */
const opened = new WeakMap<object, Tools>()

/** Asks the service nothing, but begins the sweep. Rejects `invalid_config`. */
export async function openS3(settings: S3Settings, env: StoreEnv): Promise<S3Store> {
  const client = await createClient(settings)
  const tools: Tools = { client, settings, log: env.log }
  const { staleUploadMs } = settings
  const closing = new AbortController()
  const sweeping = staleUploadMs === false ? undefined : sweepUploads(tools, staleUploadMs, env.now, closing.signal)
  const store: S3Store = {
    read: (at, options) => read(tools, at, options),
    stat: (at, options) => stat(tools, at, options),
    write: (key, body, options) => write(tools, key, body, options),
    async copyFrom(key, origin, options) {
      const source = opened.get(origin.store)
      return source && copy(tools, key, { tools: source, at: origin.at as S3Location }, options)
    },
    remove: (at, options) => remove(tools, at, options),
    list: (options) => list(tools, options),
    owns: (at) => ownedBy(settings, at),
    async close() {
      closing.abort()
      await sweeping
      client.close()
    },
  }
  opened.set(store, tools)
  return store
}
