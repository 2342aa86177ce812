import type { GetOptions, GetResult } from 'mullion'
import type { Image } from 'mullion/images'

/** Reads the data of one image from its store. */
export type ReadStore = (options: GetOptions) => Promise<GetResult>

/** Dispose of it, whether it was read or not. */
export interface CachedData extends AsyncDisposable {
  /** Ends only after `size` bytes that are the image's; throws otherwise. Can be read once. */
  readonly body: AsyncIterableIterator<Uint8Array>
  readonly size: number
}

/** One image on the disk. */
export interface CachedImage {
  readonly imageId: string
  readonly size: number
  /** How often it was read since it came. */
  readonly hits: number
  readonly lastAccessed: Date
  readonly lastModified: Date
}

/**
 * Copies of image data near the server. Whoever asks has decided before that the image may be read: a cache knows
 * neither actors nor records. Ids are compared as `idKey` does.
 */
export interface ImageCache {
  /**
   * The data from the disk, or from the store through a copy that is being made; one store read serves all who ask
   * meanwhile. Undefined when the image cannot be cached: then the store is to be asked. Rejects what `read` rejects
   * with, and with `signal.reason`; an abort also ends a body.
   */
  open(image: Image, read: ReadStore, signal: AbortSignal): Promise<CachedData | undefined>
  /** Forgets an image. A copy of it that is being made is not kept either; who reads one reads on. */
  purge(id: string): Promise<void>
  /** Forgets every image; resolves with how many there were. */
  clear(): Promise<number>
  cached(): readonly CachedImage[]
  /** The images to be fetched ahead of the first reader, oldest first. */
  queued(): readonly string[]
  /** Does nothing for an image that is cached or queued. Throws `too_large` when the queue is full. */
  enqueue(id: string): void
  dequeue(id: string): void
  /** Returns how many there were. */
  clearQueue(): number
}
