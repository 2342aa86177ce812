import { isMullionError, MullionError, orAborted } from 'mullion'
import { type Image, idKey, type Ports } from 'mullion/images'
import type { Catalog } from './catalog.ts'
import { type Content, contentOf, startCheck } from './content.ts'
import { Fill } from './fill.ts'
import { openShelf } from './open.ts'
import { lend, readPage } from './pages.ts'
import type { CachedData, CachedImage, ImageCache, ReadStore } from './port.ts'
import type { Loan, Shelf, ShelfOptions } from './shelf.ts'

export interface DiskCacheOptions extends ShelfOptions {
  /** Compute a digest of an image each time it is read from the disk. Its size is checked in any case. */
  readonly verifyHits: boolean
  /** How long an image goes on into the cache when all who asked for it have left. */
  readonly abandonedMs: number
  readonly maxQueued: number
  /** To find out, before an image is kept, whether it was deleted meanwhile. */
  readonly images: Pick<Ports['images'], 'get'>
}

/** Fills that nobody waits for, at most: else asking and leaving would make the server read store after store. */
const MAX_ABANDONED = 4

/** Opens a cache in a directory of its own. Rejects `in_use` when another server has it, `invalid_config`. */
export async function openDiskCache(options: DiskCacheOptions): Promise<DiskCache> {
  const { shelf, catalog } = await openShelf(options)
  return new DiskCache(options, shelf, catalog)
}

export class DiskCache implements ImageCache {
  readonly #options: DiskCacheOptions
  readonly #shelf: Shelf
  readonly #catalog: Catalog
  readonly #fills = new Map<string, Fill>()
  /** Those that nobody can join any more, too. */
  readonly #running = new Set<Fill>()
  /** Key → id as it was asked for. */
  readonly #queue: Map<string, string>
  #queueChanged = Promise.withResolvers<void>()
  #closed = false

  constructor(options: DiskCacheOptions, shelf: Shelf, catalog: Catalog) {
    this.#options = options
    this.#shelf = shelf
    this.#catalog = catalog
    this.#queue = new Map(catalog.queue().map((id) => [idKey(id), id]))
  }

  async open(image: Image, read: ReadStore, signal: AbortSignal): Promise<CachedData | undefined> {
    const content = contentOf(image)
    if (!content || this.#closed) return undefined
    const loan = await this.#shelf.read(content)
    if (loan) return this.#hit(content, loan, signal)
    return this.#fill(content, read)?.follow(read, signal)
  }

  /**
   * Fetches the data of an image that is not there yet. Resolves with whether it is cached now; rejects what the store
   * rejects with, `size_mismatch` or `hash_mismatch` for other data than the record tells of, and with `signal.reason`.
   */
  async fetch(image: Image, read: ReadStore, signal: AbortSignal): Promise<boolean> {
    const content = contentOf(image)
    if (!content || this.#closed) return false
    if (this.#shelf.has(content)) return true
    const fill = this.#fill(content, read)
    if (!fill) return false
    const leave = fill.hold()
    try {
      await orAborted(fill.opened, signal)
      const kept = await orAborted(fill.over, signal)
      if (fill.failure !== undefined) throw fill.failure
      return kept
    } finally {
      await leave()
    }
  }

  async purge(id: string): Promise<void> {
    for (const fill of this.#running) if (idKey(fill.content.imageId) === idKey(id)) this.#disown(fill)
    await this.#shelf.forget(id)
  }

  clear(): Promise<number> {
    for (const fill of this.#running) this.#disown(fill)
    return this.#shelf.forget()
  }

  cached(): readonly CachedImage[] {
    return this.#shelf.entries().map(({ imageId, size, hits, lastAccessed, lastModified }) => ({
      imageId,
      size,
      hits,
      lastAccessed: new Date(lastAccessed),
      lastModified: new Date(lastModified),
    }))
  }

  queued(): readonly string[] {
    return [...this.#queue.values()]
  }

  enqueue(id: string): void {
    if (this.#queue.has(idKey(id)) || this.#shelf.hasImage(id)) return
    const { maxQueued } = this.#options
    if (this.#queue.size >= maxQueued) {
      throw new MullionError('too_large', `the queue of the cache is full: it takes ${maxQueued} images`, {
        details: { limit: maxQueued },
      })
    }
    this.#append(id)
  }

  dequeue(id: string): void {
    const queued = this.#queue.get(idKey(id))
    if (queued === undefined) return
    this.#catalog.dequeue(queued)
    this.#queue.delete(idKey(id))
  }

  clearQueue(): number {
    const ids = this.queued()
    for (const id of ids) this.dequeue(id)
    return ids.length
  }

  /** Lets others come first. Does nothing for an image that is not queued any more. */
  postpone(id: string): void {
    const queued = this.#queue.get(idKey(id))
    if (queued === undefined) return
    this.dequeue(queued)
    this.#append(queued)
  }

  /** The image that waits for longest; waits for one when there is none. Rejects with `signal.reason`. */
  async nextQueued(signal: AbortSignal): Promise<string> {
    for (;;) {
      for (const id of this.#queue.values()) return id
      await orAborted(this.#queueChanged.promise, signal)
    }
  }

  /** Ends the fills that run. Who reads a file reads on until he disposes of it. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const fill of this.#running) fill.abort(new MullionError('closed', 'the cache was closed', { details: {} }))
    await Promise.all([...this.#running].map(({ over }) => over))
    this.#shelf.close()
    this.#catalog.close()
  }

  #append(id: string): void {
    this.#catalog.enqueue(id)
    this.#queue.set(idKey(id), id)
    this.#queueChanged.resolve()
    this.#queueChanged = Promise.withResolvers()
  }

  /** The fill that runs, or a new one; undefined when the image is larger than the cache. */
  #fill(content: Content, read: ReadStore): Fill | undefined {
    const running = this.#fills.get(content.key)
    if (running?.alive) return running
    if (!this.#shelf.fits(content)) return undefined
    const { log, abandonedMs } = this.#options
    const fill = new Fill(content, {
      shelf: this.#shelf,
      read,
      isWanted: () => this.#exists(content.imageId),
      abandonedMs: () => (this.#abandoned() > MAX_ABANDONED ? 0 : abandonedMs),
      log,
    })
    this.#fills.set(content.key, fill)
    this.#running.add(fill)
    void fill.over.then(() => {
      this.#running.delete(fill)
      if (this.#fills.get(content.key) === fill) this.#fills.delete(content.key)
    })
    return fill
  }

  #abandoned(): number {
    return [...this.#running].filter(({ abandoned }) => abandoned).length
  }

  #disown(fill: Fill): void {
    fill.disown()
    this.#fills.delete(fill.content.key)
  }

  async #exists(id: string): Promise<boolean> {
    try {
      return (await this.#options.images.get(id)).deletedAt === undefined
    } catch (error) {
      if (!isMullionError(error, 'not_found')) this.#options.log('not kept in the cache', { imageId: id, err: error })
      return false
    }
  }

  #hit(content: Content, loan: Loan, signal: AbortSignal): CachedData {
    return lend(content.size, signal, (aborted) => this.#bytes(content, loan, aborted), loan.release)
  }

  /** The last page comes after the check, so that nobody takes a wrong image for a whole one. */
  async *#bytes(content: Content, { file }: Loan, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const check = this.#options.verifyHits ? startCheck(content, 1) : undefined
    try {
      for (let at = 0; at < content.size; ) {
        signal.throwIfAborted()
        const page = await this.#whole(content, async () => {
          const read = await readPage(file, at, content.size - at)
          await check?.update(read)
          if (at + read.byteLength === content.size) await check?.verify()
          return read
        })
        at += page.byteLength
        yield page
      }
    } finally {
      check?.drop()
    }
  }

  /** What cannot be read, or is not what it was, is no use to the next one either. */
  async #whole<T>(content: Content, read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      this.#options.log('a cached image is broken: dropped', { imageId: content.imageId, err: error })
      await this.#shelf.drop(content)
      throw error
    }
  }
}
