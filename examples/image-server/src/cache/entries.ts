import { idKey } from 'mullion/images'
import type { Catalog, EntryRow } from './catalog.ts'
import type { Log } from './shelf.ts'

export interface Entry extends EntryRow {
  hits: number
  lastAccessed: number
  readers: number
  /** Not listed any more; its file takes up room until the last reader has gone. */
  gone: boolean
}

const FLUSH_MS = 10_000
const BLOCK = 4096

/** What a file takes up, with a block for its name: else no number of bytes would bound the number of tiny files. */
export function roomFor(size: number): number {
  return (Math.ceil(size / BLOCK) + 1) * BLOCK
}

/** What the catalog says, in memory, least recently read first, so that reading an image writes nothing. */
export class Entries {
  readonly #catalog: Catalog
  readonly #log: Log
  readonly #byKey = new Map<string, Entry>()
  readonly #byImage = new Map<string, Set<Entry>>()
  readonly #touched = new Set<Entry>()
  #used = 0
  #flushing: NodeJS.Timeout | undefined

  constructor(catalog: Catalog, rows: readonly EntryRow[], log: Log) {
    this.#catalog = catalog
    this.#log = log
    for (const row of rows) this.#insert({ ...row, readers: 0, gone: false })
  }

  /** Bytes that the files take up, those that are gone but still read included. */
  get used(): number {
    return this.#used
  }

  all(): Entry[] {
    return [...this.#byKey.values()]
  }

  get(key: string): Entry | undefined {
    return this.#byKey.get(key)
  }

  ofImage(imageId: string): Entry[] {
    return [...(this.#byImage.get(idKey(imageId)) ?? [])]
  }

  /** Returns false, and adds nothing, when the content is there already or cannot be written down. */
  add(entry: Entry): boolean {
    const written = !this.#byKey.has(entry.key) && this.#write(() => this.#catalog.put([entry]))
    if (written) this.#insert(entry)
    return written
  }

  touch(entry: Entry, now: number): void {
    entry.hits += 1
    entry.lastAccessed = now
    this.#byKey.delete(entry.key) // so that it comes last
    this.#byKey.set(entry.key, entry)
    this.#touched.add(entry)
    this.#flushing ??= setTimeout(() => this.flush(), FLUSH_MS).unref()
  }

  leave(entry: Entry): void {
    entry.readers -= 1
    if (entry.gone && entry.readers === 0) this.#used -= roomFor(entry.size)
  }

  /** Returns those that were there. */
  remove(entries: readonly Entry[]): readonly Entry[] {
    const present = entries.filter(({ gone }) => !gone)
    for (const entry of present) this.#take(entry)
    if (present.length > 0) this.#write(() => this.#catalog.remove(present.map(({ key }) => key)))
    return present
  }

  /** Entries that take up so many bytes; undefined when there are not enough that nobody reads. */
  victims(bytes: number): Entry[] | undefined {
    const victims: Entry[] = []
    let missing = bytes
    for (const entry of this.#byKey.values()) {
      if (missing <= 0) break
      if (entry.readers > 0) continue
      victims.push(entry)
      missing -= roomFor(entry.size)
    }
    return missing <= 0 ? victims : undefined
  }

  /** Hits are written down now and then: a crash loses the last of them. */
  flush(): void {
    clearTimeout(this.#flushing)
    this.#flushing = undefined
    if (this.#write(() => this.#catalog.put([...this.#touched]))) this.#touched.clear()
  }

  #insert(entry: Entry): void {
    this.#byKey.set(entry.key, entry)
    const image = idKey(entry.imageId)
    this.#byImage.set(image, (this.#byImage.get(image) ?? new Set()).add(entry))
    this.#used += roomFor(entry.size)
  }

  #take(entry: Entry): void {
    entry.gone = true
    this.#byKey.delete(entry.key)
    this.#touched.delete(entry)
    const image = idKey(entry.imageId)
    const others = this.#byImage.get(image)
    others?.delete(entry)
    if (others?.size === 0) this.#byImage.delete(image)
    if (entry.readers === 0) this.#used -= roomFor(entry.size)
  }

  #write(change: () => void): boolean {
    try {
      change()
      return true
    } catch (error) {
      this.#log('the catalog of the cache cannot be written', { err: error })
      return false
    }
  }
}
