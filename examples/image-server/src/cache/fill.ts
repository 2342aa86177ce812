import type { FileHandle } from 'node:fs/promises'
import { type GetResult, isMullionError, MullionError, orAborted } from 'mullion'
import { type Content, startCheck } from './content.ts'
import { lend, readPage } from './pages.ts'
import type { CachedData, ReadStore } from './port.ts'
import type { Log, Shelf, Slot } from './shelf.ts'

export interface FillOptions {
  readonly shelf: Shelf
  readonly read: ReadStore
  /** Whether somebody may want the image later. */
  readonly isWanted: () => Promise<boolean>
  /** How long it goes on when nobody waits for it any more. */
  readonly abandonedMs: () => number
  readonly log: Log
}

/**
 * One read of a store into a file, and all who read the file while it grows. Each has its own pace: what a slow one has
 * not read yet lies in the file, and who leaves is not missed. Nobody gets the last byte before the digests are right.
 */
export class Fill {
  readonly content: Content
  /** Whether there is something to follow; if not, the store is to be asked. Rejects what `read` rejects with. */
  readonly opened: Promise<boolean>
  /** Resolves once the store was read, well or badly, with whether the image is on the shelf. */
  readonly over: Promise<boolean>
  readonly #options: FillOptions
  readonly #stop = new AbortController()
  #source: GetResult | undefined
  #slot: Slot | undefined
  #state: 'filling' | 'complete' | 'failed' | 'detached' = 'filling'
  #error: unknown
  #written = 0
  #progress = Promise.withResolvers<void>()
  #followers = 0
  #reading = true
  #wanted = true
  #linger: NodeJS.Timeout | undefined

  constructor(content: Content, options: FillOptions) {
    this.content = content
    this.#options = options
    this.opened = this.#open()
    this.over = this.opened.then(
      (following) => (following ? this.#run() : false),
      () => false,
    )
  }

  /** Why it failed, if it did. */
  get failure(): unknown {
    return this.#error
  }

  /** Whether it still leads to the whole image; if not, the next who asks starts anew. */
  get alive(): boolean {
    return this.#reading && !this.#stop.signal.aborted && (this.#state === 'filling' || this.#state === 'complete')
  }

  /** Whether it goes on although nobody waits for it. */
  get abandoned(): boolean {
    return this.#reading && this.#followers === 0
  }

  /** The file is not to be kept. Those who read it read on. */
  disown(): void {
    this.#wanted = false
  }

  abort(reason: unknown): void {
    clearTimeout(this.#linger)
    this.#stop.abort(reason)
  }

  /** Counts as a follower from the call on. Resolves once there is data to come; undefined as `opened` says. */
  async follow(read: ReadStore, signal: AbortSignal): Promise<CachedData | undefined> {
    const leave = this.hold()
    try {
      if (await orAborted(this.opened, signal)) {
        return lend(this.content.size, signal, (aborted) => this.#bytes(read, aborted), leave)
      }
    } catch (error) {
      await leave()
      throw error
    }
    await leave()
    return undefined
  }

  /** Keeps it going until the result is called. */
  hold(): () => Promise<void> {
    this.#followers += 1
    clearTimeout(this.#linger)
    return async () => {
      this.#followers -= 1
      if (this.#followers > 0) return
      if (this.#reading) this.#abandon()
      else await this.#slot?.close()
    }
  }

  #abandon(): void {
    const end = (): void => {
      if (this.#state === 'filling') this.abort(new Error('nobody waits for it any more'))
    }
    const afterMs = this.#options.abandonedMs()
    if (afterMs === 0) end()
    else this.#linger = setTimeout(end, afterMs)
  }

  async #open(): Promise<boolean> {
    try {
      await this.#begin(await this.#options.read({ signal: this.#stop.signal }))
    } finally {
      this.#reading = this.#source !== undefined
      if (!this.#reading) clearTimeout(this.#linger)
    }
    return this.#reading
  }

  async #begin(source: GetResult): Promise<void> {
    const { shelf, log } = this.#options
    try {
      const { size, imageId } = this.content
      if (source.size === undefined || source.size === size) {
        this.#slot = await shelf.slot(this.content).catch((error: unknown) => {
          log('the cache cannot be written', { imageId, err: error })
          return undefined
        })
      }
      if (this.#slot) this.#source = source
    } finally {
      if (!this.#source) await source[Symbol.asyncDispose]()
    }
  }

  async #run(): Promise<boolean> {
    const slot = this.#slot as Slot
    const kept = await this.#copied(this.#source as GetResult, slot)
      .then((whole) => whole && this.#keep(slot))
      .catch((error: unknown) => {
        this.#error = this.#stop.signal.aborted ? this.#stop.signal.reason : error
        this.#state = 'failed'
        return false
      })
    if (!kept) await slot.drop()
    clearTimeout(this.#linger)
    this.#reading = false
    this.#tell()
    if (this.#followers === 0) await slot.close()
    return kept
  }

  /** Resolves with false when the disk refused a part; throws what the store throws, or for bytes that are not right. */
  async #copied(source: GetResult, slot: Slot): Promise<boolean> {
    const { content } = this
    const check = startCheck(content)
    try {
      for await (const chunk of source.body) {
        if (this.#written + chunk.byteLength > content.size) throw wrongSize(content, this.#written + chunk.byteLength)
        const written = this.#write(slot, chunk)
        const hashed = Promise.resolve(check.update(chunk))
        await Promise.allSettled([written, hashed]) // before file, digests or source are let go of
        if (!(await written)) return false
        await hashed
        this.#tell()
      }
      if (this.#written !== content.size) throw wrongSize(content, this.#written)
      await check.verify()
      this.#state = 'complete'
      this.#tell()
      return true
    } finally {
      check.drop()
      await source[Symbol.asyncDispose]()
    }
  }

  async #write(slot: Slot, chunk: Uint8Array): Promise<boolean> {
    try {
      await writeAll(slot.file, chunk, this.#written)
    } catch (error) {
      const { imageId } = this.content
      this.#options.log('the cache cannot be written; those who read go on from the store', { imageId, err: error })
      this.#state = 'detached'
      return false
    }
    this.#written += chunk.byteLength
    slot.wrote(chunk.byteLength)
    return true
  }

  /** Whoever deletes the image disowns the fill, or has done so in the record before. */
  async #keep(slot: Slot): Promise<boolean> {
    return (await this.#options.isWanted()) && slot.keep(() => this.#wanted)
  }

  #tell(): void {
    this.#progress.resolve()
    this.#progress = Promise.withResolvers()
  }

  async *#bytes(read: ReadStore, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const { size } = this.content
    const { file } = this.#slot as Slot
    for (let at = 0; at < size; ) {
      signal.throwIfAborted()
      const end = this.#state === 'complete' ? size : Math.min(this.#written, size - 1)
      if (at < end) {
        const page = await readPage(file, at, end - at)
        at += page.byteLength
        yield page
      } else if (this.#state === 'failed') throw this.#error
      else if (this.#state === 'detached') return yield* this.#rest(read, at, signal)
      else await orAborted(this.#progress.promise, signal)
    }
  }

  /** From the store, as without a cache. */
  async *#rest(read: ReadStore, from: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
    const { data, skipped } = await openAt(read, from, signal)
    try {
      const etag = this.#source?.etag
      if (etag !== undefined && data.etag !== undefined && etag !== data.etag) throw changed(this.content)
      let skip = skipped
      for await (const chunk of data.body) {
        if (chunk.byteLength > skip) yield chunk.subarray(skip)
        skip = Math.max(0, skip - chunk.byteLength)
      }
    } finally {
      await data[Symbol.asyncDispose]()
    }
  }
}

async function openAt(
  read: ReadStore,
  offset: number,
  signal: AbortSignal,
): Promise<{ readonly data: GetResult; readonly skipped: number }> {
  if (offset === 0) return { data: await read({ signal }), skipped: 0 }
  try {
    return { data: await read({ offset, signal }), skipped: 0 }
  } catch (error) {
    if (!isMullionError(error, 'unsupported')) throw error
    return { data: await read({ signal }), skipped: offset }
  }
}

async function writeAll(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < chunk.byteLength; ) {
    const { bytesWritten } = await file.write(chunk, done, chunk.byteLength - done, position + done)
    done += bytesWritten
  }
}

function wrongSize({ imageId, size }: Content, actual: number): MullionError {
  return new MullionError('size_mismatch', `image ${imageId}: expected ${size} bytes, got ${actual}`, {
    details: { expected: size, actual },
    context: { imageId },
  })
}

function changed({ imageId }: Content): MullionError {
  return new MullionError('conflict', `image ${imageId}: the data changed while it was read`, {
    details: { expected: imageId },
    context: { imageId },
  })
}
