import { setTimeout as delay } from 'node:timers/promises'
import { isMullionError } from 'mullion'
import { type Image, openData, type Ports } from 'mullion/images'
import type { DiskCache } from './cache.ts'
import type { Log } from './shelf.ts'

export interface PrefetchOptions {
  /** Ends the work; an image that is being fetched stays queued. */
  readonly signal: AbortSignal
  /** How long to wait after a failure. */
  readonly pauseMs: number
  readonly log: Log
}

type Sources = Pick<Ports, 'images' | 'stores'>

/** How often an image that cannot be fetched for now is tried before it is dropped. */
const ATTEMPTS = 3

/**
 * Fetches the queued images, one after the other, until the signal aborts. What there is no image for, what has no data
 * to give or cannot be cached is dropped.
 */
export async function prefetch(ports: Sources, cache: DiskCache, options: PrefetchOptions): Promise<void> {
  const { signal, pauseMs, log } = options
  const attempts = new Map<string, number>()
  while (!signal.aborted) {
    try {
      const id = await cache.nextQueued(signal)
      if (await fetched(ports, cache, id, attempts, options)) continue
    } catch (error) {
      if (!signal.aborted) log('the queue of the cache cannot be worked on; it will be tried again', { err: error })
    }
    await delay(pauseMs, undefined, { signal }).catch(() => {})
  }
}

/** Resolves with false when it is better to wait before the next. */
async function fetched(
  ports: Sources,
  cache: DiskCache,
  id: string,
  attempts: Map<string, number>,
  { signal, log }: PrefetchOptions,
): Promise<boolean> {
  try {
    const image = await find(ports, id)
    const problem = image?.status === 'active' ? undefined : `it is ${image?.status ?? 'not there'}`
    const cached = image && !problem && (await cache.fetch(image, (how) => openData(ports, image, how), signal))
    if (!cached) log('a queued image is not cached', { imageId: id, reason: problem ?? 'it cannot be' })
  } catch (error) {
    if (signal.aborted) throw error
    const count = (attempts.get(id) ?? 0) + 1
    log('a queued image could not be cached', { imageId: id, attempt: count, of: ATTEMPTS, err: error })
    if (count < ATTEMPTS && !isFinal(error)) {
      attempts.set(id, count)
      cache.postpone(id)
      return false
    }
  }
  attempts.delete(id)
  cache.dequeue(id)
  return true
}

/** Wrong bytes today are wrong bytes tomorrow. */
function isFinal(error: unknown): boolean {
  return FINAL.some((code) => isMullionError(error, code))
}

const FINAL = ['not_found', 'hash_mismatch', 'size_mismatch', 'unsupported', 'permission_denied'] as const

/** Undefined when there is none. */
async function find({ images }: Pick<Ports, 'images'>, id: string): Promise<Image | undefined> {
  try {
    return await images.get(id)
  } catch (error) {
    if (isMullionError(error, 'not_found')) return undefined
    throw error
  }
}

/** Forgets the images that were deleted where nobody told the cache: by another server, or just before a crash. */
export async function forgetDeleted(
  { images }: Pick<Ports, 'images'>,
  cache: DiskCache,
  signal: AbortSignal,
): Promise<void> {
  for (const { imageId } of cache.cached()) {
    if (signal.aborted) return
    const image = await find({ images }, imageId)
    if (image === undefined || image.deletedAt !== undefined) await cache.purge(imageId)
  }
}
