import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, rename, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { EntryRow } from './catalog.ts'
import type { Content } from './content.ts'
import { type Entries, type Entry, roomFor } from './entries.ts'

export type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void

export interface ShelfOptions {
  readonly dir: string
  /** Bytes that all files take up at most, those that are being written or still being read included. */
  readonly maxSize: number
  /** Bytes that stay free on the file system. */
  readonly minFree: number
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly log: Log
}

/** A file that is read. Release it once. */
export interface Loan {
  readonly file: FileHandle
  release(): Promise<void>
}

/** A file that is being written, on room that was set aside for it. */
export interface Slot {
  readonly file: FileHandle
  /** Told after bytes were written. */
  wrote(bytes: number): void
  /** Makes the file an entry, durably, unless `wanted` says no in the end. Rejects when its bytes may not last. */
  keep(wanted: () => boolean): Promise<boolean>
  /** Removes the name of a file that was not kept. */
  drop(): Promise<void>
  /** Frees the file once nobody reads it through this slot any more, and its room unless it was kept. */
  close(): Promise<void>
}

/** Room that was set aside for a file that is not an entry yet. */
interface Room {
  readonly bytes: number
  /** How much of it the file does not take up yet. */
  unwritten: number
}

const READ = constants.O_RDONLY | constants.O_NOFOLLOW
const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

/** The files of a cache, and how much room they have. */
export class Shelf {
  readonly #options: ShelfOptions
  readonly #entries: Entries
  readonly #rooms = new Set<Room>()

  constructor(options: ShelfOptions, entries: Entries) {
    this.#options = options
    this.#entries = entries
  }

  entries(): readonly EntryRow[] {
    return this.#entries.all()
  }

  hasImage(imageId: string): boolean {
    return this.#entries.ofImage(imageId).length > 0
  }

  has({ key }: Content): boolean {
    return this.#entries.get(key) !== undefined
  }

  /** Whether there could ever be room for it. */
  fits({ size }: Content): boolean {
    return roomFor(size) <= this.#options.maxSize
  }

  /** Undefined when there is no such entry, or its file is not what it was: then the entry is gone as well. */
  async read({ key, size, imageId }: Content): Promise<Loan | undefined> {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    entry.readers += 1
    try {
      const file = await openWhole(this.#path(entry), size)
      const release = (): Promise<void> => file.close().finally(() => this.#entries.leave(entry))
      if (!entry.gone) {
        this.#entries.touch(entry, this.#options.now())
        return { file, release }
      }
      await release()
    } catch (error) {
      if (!entry.gone) this.#options.log('a cached image is not what it was: dropped', { imageId, err: error })
      await this.#discard([entry])
      this.#entries.leave(entry)
    }
    return undefined
  }

  /**
   * Room for a file, made by forgetting what was not read for longest; undefined when there is none to be had. Rejects
   * when the file cannot be made.
   */
  async slot(content: Content): Promise<Slot | undefined> {
    const { dir, maxSize, minFree } = this.#options
    const bytes = roomFor(content.size)
    const { bavail, bsize } = await statfs(dir)
    // nothing waits from here until the room is taken: two who ask cannot count on the same
    const rooms = [...this.#rooms]
    const reserved = rooms.reduce((sum, room) => sum + room.bytes, bytes)
    const unwritten = rooms.reduce((sum, room) => sum + room.unwritten, bytes)
    const missing = Math.max(this.#entries.used + reserved - maxSize, unwritten + minFree - bavail * bsize)
    const victims = this.#entries.victims(missing)
    if (!victims) return undefined
    const room: Room = { bytes, unwritten: bytes }
    this.#rooms.add(room)
    try {
      await this.#discard(victims)
      const name = randomUUID()
      return this.#slot(content, room, name, await open(join(dir, `${name}.part`), CREATE, 0o600))
    } catch (error) {
      this.#rooms.delete(room)
      throw error
    }
  }

  /** Forgets one image, or all. Resolves with how many entries that were. */
  forget(imageId?: string): Promise<number> {
    return this.#discard(imageId === undefined ? this.#entries.all() : this.#entries.ofImage(imageId))
  }

  async drop({ key }: Content): Promise<void> {
    const entry = this.#entries.get(key)
    if (entry) await this.#discard([entry])
  }

  /** Forgets what is more than `maxSize`, which may have been more the last time. */
  async shrink(): Promise<void> {
    await this.#discard(this.#entries.victims(this.#entries.used - this.#options.maxSize) ?? [])
  }

  close(): void {
    this.#entries.flush()
  }

  #slot(content: Content, room: Room, name: string, file: FileHandle): Slot {
    const path = join(this.#options.dir, `${name}.part`)
    let entry: Entry | undefined
    return {
      file,
      wrote(bytes) {
        room.unwritten -= bytes
      },
      keep: async (wanted) => {
        await file.sync()
        const made = newEntry(content, name, this.#options.now())
        if (!(await this.#publish(path, made))) return false
        if (wanted() && this.#entries.add(made)) {
          this.#rooms.delete(room)
          entry = made
        } else await this.#remove(this.#path(made))
        return entry !== undefined
      },
      drop: async () => {
        room.unwritten = 0
        if (!entry) await this.#remove(path)
      },
      close: async () => {
        await file.close().catch((error: unknown) => this.#options.log('a cached file did not close', { err: error }))
        this.#rooms.delete(room)
        if (entry) this.#entries.leave(entry)
      },
    }
  }

  async #publish(path: string, entry: Entry): Promise<boolean> {
    try {
      await rename(path, this.#path(entry))
      await syncDirectory(this.#options.dir)
      return true
    } catch (error) {
      this.#options.log('an image cannot be kept in the cache', { err: error })
      await this.#remove(this.#path(entry))
      return false
    }
  }

  /** Nobody finds them any more from the moment of the call. */
  async #discard(entries: readonly Entry[]): Promise<number> {
    const removed = this.#entries.remove(entries)
    for (const entry of removed) await this.#remove(this.#path(entry))
    return removed.length
  }

  async #remove(path: string): Promise<void> {
    try {
      await rm(path, { force: true })
    } catch (error) {
      this.#options.log('a file of the cache cannot be removed; the next start tries again', { err: error })
    }
  }

  #path({ file }: EntryRow): string {
    return join(this.#options.dir, `${file}.image`)
  }
}

/** Read already, by those who followed while it was made. */
function newEntry({ key, imageId, size }: Content, file: string, now: number): Entry {
  return { key, file, imageId, size, hits: 0, lastAccessed: now, lastModified: now, readers: 1, gone: false }
}

async function openWhole(path: string, size: number): Promise<FileHandle> {
  const file = await open(path, READ)
  const stat = await file.stat()
  if (stat.isFile() && stat.size === size) return file
  await file.close()
  throw new Error(`expected a file of ${size} bytes, it has ${stat.size}`)
}

/** A new name lasts once its directory was synced (rename(2), fsync(2)). */
async function syncDirectory(dir: string): Promise<void> {
  const directory = await open(dir, constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
