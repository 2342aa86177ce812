import {
  createStores,
  defineStore,
  type ErrorDetails,
  isMullionError,
  type Location,
  memory,
  type Store,
  type StoreSpec,
  type Stores,
} from 'mullion'
import type { Image, ImagePatch, PublicImage } from 'mullion/images'
import { anyConfig, type TinyStore } from '../tiny-store.ts'

// Compiled by `npm run types`, never run: each line below a ts-expect-error must not compile.

declare const writable: StoreSpec<TinyStore>
declare const readOnly: StoreSpec<Pick<Store<string>, 'read' | 'stat'>>

export async function writableStores(): Promise<void> {
  const stores = await createStores({ stores: { fast: writable, web: readOnly }, default: 'fast' })
  await stores.add('x', new Uint8Array(), { store: 'fast' })
  // @ts-expect-error -- the store is read-only
  await stores.add('x', new Uint8Array(), { store: 'web' })
  // @ts-expect-error -- no such store
  await stores.add('x', new Uint8Array(), { store: 'other' })
  const name: 'fast' | 'web' = stores.getStoreFromLocation('memory://x')
  // @ts-expect-error -- a read-only default
  await createStores({ stores: { fast: writable, web: readOnly }, default: 'web' })
  // @ts-expect-error -- a default that is no store
  await createStores({ stores: { fast: writable }, default: name === 'web' ? 'slow' : 'slow' })
  const some: Stores = stores as unknown as Stores
  await some.add('x', new Uint8Array(), { store: 'anything' })
}

export function inferredStore(): 'write is known' {
  const plugin = defineStore({
    name: 'x',
    schemes: ['x'],
    config: anyConfig,
    location: { parse: (uri: string) => ({ path: uri }), format: ({ path }: { path: string }) => path },
    open: () => ({
      read: async ({ path }: { path: string }) => ({ body: new Blob([path]).stream(), size: undefined }),
      stat: async () => ({ size: 0 }),
      write: async (key: string) => ({ at: { path: key } }),
    }),
  })
  const spec: StoreSpec<{ write: unknown; read: unknown; stat: unknown }> = plugin({})
  return spec ? 'write is known' : 'write is known'
}

export function narrowedErrors(error: unknown): number | string | undefined {
  if (isMullionError(error, 'too_large')) return error.details.limit
  if (isMullionError(error, 'not_found')) return error.details.location
  // @ts-expect-error -- details of another code
  if (isMullionError(error, 'closed')) return error.details.limit
  // @ts-expect-error -- no such code
  if (isMullionError(error, 'gone')) return 0
  const known: ErrorDetails['timeout'] = { limitMs: 5 }
  return known.limitMs
}

export function redactedByType(image: Image, location: Location): void {
  // @ts-expect-error -- what strangers see has no locations
  void ({} as PublicImage).locations
  // @ts-expect-error -- the id never changes
  const patch: ImagePatch = { id: 'x' }
  // @ts-expect-error -- records are not changed in place
  image.name = 'x'
  // @ts-expect-error -- nor are locations
  location.store = 'x'
  // @ts-expect-error -- the secret form is asked for by name
  void location.uri
  void [patch, memory({ capacity: 5 })]
}
