import type { Store, StoreEnv } from 'mullion'
import { createApi } from './api.ts'
import type { GcsSettings } from './config.ts'
import { copy } from './copy.ts'
import { createCredentials } from './credentials.ts'
import { createExchange } from './exchange.ts'
import { list } from './list.ts'
import { checkedKey, type GcsLocation } from './location.ts'
import { pausing } from './patience.ts'
import { read } from './read.ts'
import { write, type WriteTools } from './write.ts'

export type GcsStore = Store<GcsLocation> &
  Required<Pick<Store<GcsLocation>, 'write' | 'copyFrom' | 'remove' | 'list' | 'owns' | 'close'>>

/** The endpoint of every open store: what lies behind the same one can be copied there. */
const endpoints = new WeakMap<object, string>()

/** Asks for nothing yet. Rejects `invalid_config` when the key file cannot be used. */
export async function openGcs(settings: GcsSettings, { log }: StoreEnv): Promise<GcsStore> {
  const { bucket, prefix, endpoint, chunkSize, idleTimeoutMs, uploadAttempts } = settings
  const exchange = createExchange(settings)
  const credentials = await createCredentials(settings, exchange)
  const api = createApi(settings, exchange, credentials)
  const patience = { attempts: uploadAttempts, pause: pausing(exchange.closing) }
  const tools: WriteTools = { api, exchange, patience, chunkSize, idleTimeoutMs, log }
  const place = (key: string): GcsLocation => ({ bucket, object: prefix + checkedKey(key) })
  const store: GcsStore = {
    read: (at, options) => read({ api, idleTimeoutMs, closing: exchange.closing }, at, options),
    async stat(at, { signal }) {
      const { size, generation } = await api.info(at, { signal })
      return { size, etag: generation }
    },
    write: async (key, body, options) => write(tools, place(key), body, options),
    async copyFrom(key, origin, options) {
      if (endpoints.get(origin.store) !== endpoint) return undefined
      return copy(tools, origin.at as GcsLocation, place(key), options)
    },
    remove: (at, { signal }) => api.remove(at, signal),
    list: (options) => list({ api, patience, bucket, prefix }, options),
    owns: (at) => at.bucket === bucket && at.object.startsWith(prefix) && at.object.length > prefix.length,
    async close() {
      exchange.close()
    },
  }
  endpoints.set(store, endpoint)
  return store
}
