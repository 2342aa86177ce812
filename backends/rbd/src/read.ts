import { type ByteStream, MullionError, type ReadOptions, type ReadResult, type StatResult, orAborted } from 'mullion'
import type { Opened } from './calls.ts'
import type { Session } from './connection.ts'
import { failedWith } from './errors.ts'
import { rbdLocation, type RbdLocation } from './location.ts'
import { namesOf, sessionAt, type Tools } from './tools.ts'

const MOST_BYTES = 4 * 1024 ** 2
/** A reader that leaves early, or wants a header only, has not paid for much. */
const FIRST_BYTES = 256 * 1024

/** Holds the image open: the cluster then refuses to remove it. Ends with the body, read or not. */
export async function read(tools: Tools, at: RbdLocation, options: ReadOptions): Promise<ReadResult> {
  const { offset, length, signal } = options
  const session = await sessionAt(tools, at, signal)
  const { opened, watched } = await openWatched(session, tools, at)
  const { size } = opened
  const end = Math.min(size, offset + (length ?? size))
  const still = async (): Promise<boolean> => watched || etagOf(await look(session, tools, at)) === etagOf(opened)
  const body = new ImageBody({
    session,
    handle: opened.handle,
    offset: Math.min(offset, end),
    end,
    window: tools.settings.downloadConcurrency,
    signal,
    still,
    label: rbdLocation.format(at),
  })
  return { body, size, etag: etagOf(opened) }
}

export async function stat(tools: Tools, at: RbdLocation, signal: AbortSignal): Promise<StatResult> {
  const session = await sessionAt(tools, at, signal)
  const found = await orAborted(look(session, tools, at), signal)
  return { size: found.size, etag: etagOf(found) }
}

/** What is there; nothing stays open. */
async function look(session: Session, tools: Tools, at: RbdLocation): Promise<Opened> {
  const opened = await session.call('open', { ...namesOf(tools, at), watch: false })
  await session.call('close', { handle: opened.handle })
  return opened
}

/** A user who may only read cannot watch, as a watch is a write. */
async function openWatched(
  session: Session,
  tools: Tools,
  at: RbdLocation,
): Promise<{ readonly opened: Opened; readonly watched: boolean }> {
  const names = namesOf(tools, at)
  try {
    return { opened: await session.call('open', { ...names, watch: true }), watched: true }
  } catch (error) {
    if (!failedWith(error, 'EPERM', 'EACCES', 'EROFS')) throw error
    return { opened: await session.call('open', { ...names, watch: false }), watched: false }
  }
}

/** A snapshot never changes, an image may. */
export function etagOf({ id, snapshotId }: Opened): string | undefined {
  return snapshotId === undefined ? undefined : `${id}-${snapshotId}`
}

interface BodyOptions {
  readonly session: Session
  readonly handle: number
  readonly offset: number
  readonly end: number
  /** Pieces in flight. */
  readonly window: number
  readonly signal: AbortSignal
  /** Whether what was read is still there: librbd reads zeros from an image that is gone. */
  readonly still: () => Promise<boolean>
  readonly label: string
}

/** Not a generator: `return()` closes the image also when nobody has read. */
class ImageBody implements AsyncIterableIterator<Uint8Array>, ByteStream {
  readonly #options: BodyOptions
  readonly #onAbort: () => void = () => void this.#close()
  readonly #asked: Promise<readonly Buffer[]>[] = []
  #chunks: readonly Buffer[] = []
  #at = 0
  #offset: number
  #step = FIRST_BYTES
  #closing: Promise<void> | undefined

  constructor(options: BodyOptions) {
    this.#options = options
    this.#offset = options.offset
    options.signal.addEventListener('abort', this.#onAbort, { once: true })
    if (options.signal.aborted) this.#onAbort()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const { signal } = this.#options
    for (;;) {
      signal.throwIfAborted()
      const chunk = this.#chunks[this.#at++]
      if (chunk) return { done: false, value: chunk }
      if (this.#closing) return DONE
      this.#ask()
      const next = this.#asked.shift()
      if (!next) return this.#end()
      try {
        this.#chunks = await orAborted(next, signal)
        this.#at = 0
      } catch (error) {
        void this.#close()
        throw error
      }
    }
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    const closed = this.#close()
    if (!this.#options.signal.aborted) await closed // who aborts does not wait for a cluster that hangs
    return DONE
  }

  #ask(): void {
    const { session, handle, end, window } = this.#options
    while (this.#asked.length < window && this.#offset < end) {
      const offset = this.#offset
      const length = Math.min(this.#step - (offset % this.#step), end - offset)
      this.#offset += length
      this.#step = Math.min(MOST_BYTES, this.#step * 2)
      const asked = session.bytes({ handle, offset, length }).then((chunks) => this.#complete(chunks, length))
      asked.catch(() => {}) // heard when its turn comes
      this.#asked.push(asked)
    }
  }

  #complete(chunks: readonly Buffer[], length: number): readonly Buffer[] {
    const actual = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (actual === length) return chunks
    throw new MullionError('unavailable', `rbd store: expected ${length} bytes, got ${actual}`, { details: {} })
  }

  async #end(): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      if (await this.#options.still()) return DONE
    } finally {
      await this.#close()
    }
    const { label } = this.#options
    throw new MullionError('not_found', `rbd store: ${label} was removed while it was read`, {
      details: { location: label },
    })
  }

  #close(): Promise<void> {
    const { session, handle, signal } = this.#options
    signal.removeEventListener('abort', this.#onAbort)
    this.#chunks = []
    // an image that cannot be closed belongs to a process that has ended
    this.#closing ??= session.call('close', { handle }).then(
      () => {},
      () => {},
    )
    return this.#closing
  }
}

const DONE = { done: true, value: undefined } as const
