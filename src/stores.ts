import { add } from './add.ts'
import type { AddOptions, AddResult, TransferLimits } from './add-options.ts'
import { invalid } from './arguments.ts'
import { calls } from './calls.ts'
import { copy, type CopyOptions, type CopyResult } from './copy.ts'
import { MullionError } from './errors.ts'
import { type GetOptions, type GetResult, get } from './get.ts'
import { lifetime } from './lifetime.ts'
import { type ListedEntry, listing } from './list.ts'
import type { LocationLike } from './location.ts'
import { closeAll, openAll, type OpenedStore, unsupported } from './opened.ts'
import type { AnyStore, Layer, StoreEnv, StoreSpec } from './plugin.ts'
import { DEFAULT_RETRY, type RetryPolicy } from './retry.ts'
import { locator } from './locator.ts'
import { type ByteSource, openSource } from './source.ts'
import type { Acls } from './store.ts'
import { keyedTurns } from './turns.ts'

export type StoreMap = Readonly<Record<string, StoreSpec<AnyStore>>>

/** Names of the stores that can be written to, as far as the types know. */
export type WritableKeys<M extends StoreMap> = string extends keyof M
  ? string
  : { [K in keyof M]: M[K] extends StoreSpec<infer S> ? (S extends { write: unknown } ? K : never) : never }[keyof M] &
      string

export interface Stores<M extends StoreMap = StoreMap> extends AsyncDisposable {
  /** Sorted, without duplicates. */
  getKnownSchemes(): readonly string[]
  /** The name of the store that holds the location. Throws `unknown_scheme`, `invalid_location`. */
  getStoreFromLocation(location: LocationLike): keyof M & string
  /** Size in bytes, undefined when the store cannot tell. Rejects `not_found`. */
  getSizeFromBackend(location: LocationLike, options?: { readonly signal?: AbortSignal }): Promise<number | undefined>
  /** Stores the source under the image id. Rejects `already_exists`, `size_mismatch`, `hash_mismatch`, `too_large`, … */
  add(imageId: string, source: ByteSource, options?: AddOptions<WritableKeys<M>>): Promise<AddResult>
  get(location: LocationLike, options?: GetOptions): Promise<GetResult>
  /**
   * Copies an object, into another store or the same; its digests are not computed unless asked for. The origin is left
   * alone. Rejects what `get` and `add` do.
   */
  copy(location: LocationLike, options: CopyOptions<WritableKeys<M>>): Promise<CopyResult>
  /** Rejects `not_found`, `in_use`, `unsupported` (read-only store). */
  delete(location: LocationLike, options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Pushes access lists to the store. Rejects `unsupported` where it has none. */
  setAcls(location: LocationLike, acls: Acls, options?: { readonly signal?: AbortSignal }): Promise<void>
  /**
   * What a store holds, for reconciliation: objects with their locations, and what unfinished writes left behind. Rejects
   * `unsupported` where the store cannot tell. Listing goes on for as long as the result is asked for more; leaving it
   * early, or `close`, ends it. Each iteration lists anew.
   */
  list(store: keyof M & string, options?: { readonly signal?: AbortSignal }): AsyncIterable<ListedEntry>
  /** Aborts what is in flight with `closed`, then closes every store. A second call does nothing. */
  close(): Promise<void>
}

export interface StoresOptions<M extends StoreMap> {
  readonly stores: M
  /** Where `add` goes unless told otherwise. A read-only store here does not compile. */
  readonly default: WritableKeys<M>
  /** For all stores, outside each one's own. */
  readonly layers?: readonly Layer[]
  readonly retry?: Partial<RetryPolicy>
  /**
   * No byte for this long ends a transfer with `timeout`, in either direction. Default 90,000: stores know better what to
   * try again, and their own limits are mostly 60,000. 0 switches it off.
   */
  readonly idleTimeoutMs?: number
  /** Milliseconds since the epoch. Default Date.now. */
  readonly now?: () => number
  /** Hears what an operator should know and no caller can be told. Default: nobody. */
  readonly log?: StoreEnv['log']
}

const IDLE_TIMEOUT_MS = 90_000

/**
 * Opens every store, in order. Rejects `invalid_config`, or what a store rejects with when it opens; those that were
 * open by then are closed again. Close the result when done.
 */
export async function createStores<const M extends StoreMap>(options: StoresOptions<M>): Promise<Stores<M>> {
  const { stores, layers = [], now = Date.now, log = () => {} } = options
  const opened = await openAll(stores, { now, log }, layers)
  if (!opened.has(options.default)) {
    await closeAll(opened)
    throw new MullionError('invalid_config', `default: no store is named "${options.default}"`, {
      details: { plugin: 'mullion', issues: ['default: unknown store'] },
    })
  }
  return makeStores<M>(opened, options)
}

function makeStores<M extends StoreMap>(all: ReadonlyMap<string, OpenedStore>, options: StoresOptions<M>): Stores<M> {
  const limits: TransferLimits = {
    retry: { ...DEFAULT_RETRY, ...options.retry },
    idleTimeoutMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
  }
  const { begin, close } = lifetime(() => closeAll(all))
  const find = locator(all)
  const { run, ask } = calls(begin, find)
  const inTurn = keyedTurns()

  const chosen = (id: string): OpenedStore => storeNamed(all, id)

  return {
    getKnownSchemes: () => [...new Set([...all.values()].flatMap(({ spec }) => spec.schemes))].sort(),
    getStoreFromLocation: (location) => find(location).opened.id,
    async getSizeFromBackend(location, { signal } = {}) {
      const asked = { operation: 'getSizeFromBackend', location, signal, retry: limits.retry }
      return (await ask(asked, ({ store }, at, call) => store.stat(at, call))).size
    },
    async add(imageId, source, given = {}) {
      const from = openSource(source)
      try {
        return await run(given.signal, (signal) =>
          add(chosen(given.store ?? options.default), imageId, from, { ...given, signal }, limits),
        )
      } finally {
        await from.abandon()
      }
    },
    async get(location, given = {}) {
      const { scope, end } = begin(given.signal)
      try {
        const { opened: store, at, shown } = find(location)
        return await get({ opened: store, at, shown, limits }, { ...given, signal: scope.signal }, end)
      } catch (error) {
        end()
        throw error
      }
    },
    async copy(location, given) {
      return run(given.signal, async (signal) =>
        copy(find(location), chosen(given.to), { ...given, signal }, { limits, inTurn }),
      )
    },
    async delete(location, { signal } = {}) {
      return ask({ operation: 'delete', location, signal }, async (opened, at, call) => {
        if (!opened.store.remove) throw unsupported(opened, 'delete', 'cannot delete')
        await opened.store.remove(at, call)
      })
    },
    async setAcls(location, acls, { signal } = {}) {
      return ask({ operation: 'setAcls', location, signal }, async (opened, at, call) => {
        if (!opened.store.setAcls) throw unsupported(opened, 'setAcls', 'has no access lists')
        await opened.store.setAcls(at, acls, call)
      })
    },
    list: (store, { signal } = {}) => listing({ ...limits, store: () => chosen(store), begin, signal }),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function storeNamed(all: ReadonlyMap<string, OpenedStore>, id: string): OpenedStore {
  const store = all.get(id)
  if (store) return store
  throw invalid('store', `expected one of ${[...all.keys()].join(', ')}, got "${id}"`)
}
