import { orAborted } from './abort.ts'
import { idleError, type Puller, puller, type Watchdog, watchdog } from './bytes.ts'
import type { Lifetime } from './lifetime.ts'
import type { Location } from './location.ts'
import { type OpenedStore, translated, unsupported } from './opened.ts'
import { locationOf } from './place.ts'
import type { Listed, ListedPartial } from './store.ts'

export type ListedEntry = ObjectEntry | PartialEntry

export interface ObjectEntry {
  readonly kind: 'object'
  /** Name of the store. */
  readonly store: string
  readonly location: Location
  /** Bytes; undefined where the store would have to ask for each object. */
  readonly size: number | undefined
  readonly modifiedAt: Date | undefined
}

/** What a write that did not end holds in the backend; it may still be under way. */
export interface PartialEntry {
  readonly kind: 'partial'
  /** Name of the store. */
  readonly store: string
  /** What the backend calls it. */
  readonly name: string
  /** Bytes, as far as the backend tells. */
  readonly size: number | undefined
  /** When something was last written to it. */
  readonly modifiedAt: Date | undefined
  /**
   * Deletes it; that it is gone already is no error. Rejects `conflict` when it changed since it was listed, `in_use`
   * while the store knows that somebody writes it.
   */
  remove(options?: { readonly signal?: AbortSignal }): Promise<void>
}

export interface ListingOptions {
  /** Throws `invalid_argument` when there is no such store. */
  readonly store: () => OpenedStore
  readonly begin: Lifetime['begin']
  readonly signal: AbortSignal | undefined
  readonly idleTimeoutMs: number
}

/** Begins with the first entry that is asked for; each iteration is a listing of its own. */
export function listing(options: ListingOptions): AsyncIterable<ListedEntry> {
  return { [Symbol.asyncIterator]: () => new Listing(options) }
}

type Step = IteratorResult<ListedEntry, undefined>
const DONE: Step = { done: true, value: undefined }

/** One listing under way, which is in flight from the first entry that is asked for to the end. */
interface Run {
  readonly opened: OpenedStore
  readonly signal: AbortSignal
  readonly entries: Puller<Listed<unknown>>
  readonly idle: Watchdog
  readonly end: () => void
}

/**
 * Takes a place among the calls of the store for as long as an entry is waited for, so that its reader may call the store
 * in between. Not a generator: an abort, or `close` of the stores, ends it also when nobody asks for more.
 */
class Listing implements AsyncIterableIterator<ListedEntry, undefined> {
  readonly #options: ListingOptions
  #run: Run | undefined
  #waiting = false
  #over = false

  constructor(options: ListingOptions) {
    this.#options = options
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<Step> {
    if (this.#over) {
      this.#run?.signal.throwIfAborted()
      return DONE
    }
    try {
      this.#run ??= this.#start()
      const { done, value } = await this.#pulled(this.#run)
      if (!done) return { done: false, value: entryOf(this.#run.opened, value, this.#options.begin) }
      await this.#finish()
      return DONE
    } catch (error) {
      await this.#finish()
      throw this.#run ? thrown(this.#run, error) : error
    }
  }

  async return(): Promise<Step> {
    await this.#finish()
    return DONE
  }

  #start(): Run {
    const { store, begin, signal: given, idleTimeoutMs } = this.#options
    const opened = store()
    if (!opened.store.list) throw unsupported(opened, 'list', 'cannot tell what it holds')
    const { scope, end } = begin(given)
    const { signal } = scope
    const idle = watchdog(idleTimeoutMs, (whom, ms) => scope.abort(idleError(`${opened.id}: list`, whom, ms)))
    try {
      const alive = (): void => (this.#waiting ? idle.wait('store') : undefined)
      const entries = puller(opened.store.list({ signal, alive }), signal)
      signal.addEventListener('abort', () => void this.#finish(), { once: true }) // after the puller has heard of it
      return { opened, signal, entries, idle, end }
    } catch (error) {
      idle.end()
      end()
      throw translated(opened, error, { operation: 'list' })
    }
  }

  async #pulled({ opened, signal, entries, idle }: Run): Promise<IteratorResult<Listed<unknown>>> {
    const give = await opened.slots.take(signal)
    this.#waiting = true
    idle.wait('store')
    try {
      return await entries.next()
    } finally {
      this.#waiting = false
      idle.rest()
      give()
    }
  }

  async #finish(): Promise<void> {
    if (this.#over) return
    this.#over = true
    this.#run?.idle.end()
    await this.#run?.entries.release()
    this.#run?.end()
  }
}

function thrown({ opened, signal }: Run, error: unknown): unknown {
  return signal.aborted ? signal.reason : translated(opened, error, { operation: 'list' })
}

function entryOf(opened: OpenedStore, listed: Listed<unknown>, begin: Lifetime['begin']): ListedEntry {
  const { kind, size, modifiedAt } = listed
  const common = { store: opened.id, size, modifiedAt }
  if (kind === 'object') return { kind, ...common, location: locationOf(opened, listed.at) }
  return { kind, ...common, name: listed.name, remove: ({ signal } = {}) => removed(opened, listed, begin, signal) }
}

async function removed(
  opened: OpenedStore,
  partial: ListedPartial,
  begin: Lifetime['begin'],
  given: AbortSignal | undefined,
): Promise<void> {
  const { scope, end } = begin(given)
  const { signal } = scope
  try {
    const give = await opened.slots.take(signal)
    await orAborted(partial.remove({ signal }), signal).finally(give)
  } catch (error) {
    throw signal.aborted ? signal.reason : translated(opened, error, { operation: 'remove', location: partial.name })
  } finally {
    end()
  }
}
