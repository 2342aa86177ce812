import type { StatResult, Store, StoreEnv } from 'mullion'
import { type Account, createAccount } from './account.ts'
import { setAcls } from './acls.ts'
import { createClient } from './client.ts'
import type { SwiftSettings } from './config.ts'
import { deleteContainer } from './containers.ts'
import { copyWithin } from './copy.ts'
import { sessionOf } from './credentials.ts'
import { failure } from './errors.ts'
import { list } from './list.ts'
import type { SwiftLocation } from './location.ts'
import { newest, type ObjectPlace } from './objects.ts'
import { type Places, placesOf } from './places.ts'
import { read } from './read.ts'
import { remove } from './remove.ts'
import { sweep } from './sweep.ts'
import { limitsOf, type Tools } from './tools.ts'
import { write } from './write.ts'

export type SwiftStore = Store<SwiftLocation> &
  Required<Pick<Store<SwiftLocation>, 'write' | 'copyFrom' | 'remove' | 'list' | 'owns' | 'close'>>

/** The stores of this plugin, for copies from one to another. */
const OPENED = new WeakMap<object, Places>()

/** Asks no server yet: one that does not answer must not keep other stores from opening. Rejects `invalid_config`. */
export async function openSwift(settings: SwiftSettings, env: StoreEnv): Promise<SwiftStore> {
  const client = await createClient(settings)
  const account = createAccount(client, sessionOf(settings.auth, client, settings, env.now), settings)
  const places = placesOf(settings, client, account, env.now)
  const tools: Tools = { settings, client, account, env, limits: limitsOf(client, account) }
  const ending = new AbortController()
  const sweeping = swept(tools, ending.signal)
  const store: SwiftStore = {
    async read(at, options) {
      const { account: of, place } = await places.locate(at, options.signal)
      return read(of, place, options, settings.idleTimeoutMs)
    },
    async stat(at, { signal }) {
      const { account: of, place } = await places.locate(at, signal)
      return stat(of, place, signal)
    },
    write: (key, body, options) => write(tools, key, body, options),
    async remove(at, { signal }) {
      const { account: of, place } = await places.locate(at, signal)
      await remove(of, place, settings, signal)
      if (settings.multiTenant && place.container === `${settings.container}_${place.object}`) {
        await deleteContainer(of, place.container, signal)
      }
    },
    async copyFrom(key, { store: other, at }, options) {
      const from = OPENED.get(other)
      if (!from) return undefined
      return copyWithin(tools, await from.locate(at as SwiftLocation, options.signal), key, options)
    },
    ...(settings.multiTenant && {
      async setAcls(at, acls, { signal }) {
        const { account: of, place } = await places.locate(at, signal)
        await setAcls(of, place.container, acls, settings, signal)
      },
    }),
    list: (options) => list(tools, options),
    owns: (at) => places.owns(at),
    async close() {
      ending.abort()
      client.close()
      await sweeping
    },
  }
  OPENED.set(store, places)
  return store
}

/** In the background; what it cannot do now the next start can. */
async function swept(tools: Tools, signal: AbortSignal): Promise<void> {
  await sweep(tools, signal).catch((error: unknown) => {
    if (!signal.aborted) tools.env.log('could not look for abandoned segments', { error: String(error) })
  })
}

async function stat(account: Account, place: ObjectPlace, signal: AbortSignal): Promise<StatResult> {
  const head = await newest(account, place, signal)
  if (head) return { size: head.size, etag: head.etag }
  const location = `${place.container}/${place.object}`
  throw failure('not_found', `${location} does not exist`, { location })
}
