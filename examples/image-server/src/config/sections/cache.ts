import { z } from 'zod'
import { count, seconds } from './values.ts'

/** Which flavours have a cache is said elsewhere; this is what it is like. */
export interface CacheConfig {
  /** Undefined: `cache` below the data directory. */
  readonly dir?: string | undefined
  readonly maxSize: number
  readonly minFree: number
  readonly verifyHits: boolean
  readonly abandonedFill: number
  readonly maxQueued: number
}

export const cache: z.ZodType<CacheConfig> = z.strictObject({
  dir: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Directory of the image cache, for one server alone; made when missing. Not set: `cache` below the data directory.',
    ),
  maxSize: z.int().min(0).default(10_737_418_240).describe('Bytes that cached images take up at most.'),
  minFree: count().default(1_073_741_824).describe('Bytes that the cache leaves free on its file system.'),
  verifyHits: z
    .boolean()
    .default(false)
    .describe('Compute a digest of cached data each time it is read; the size is always checked.'),
  abandonedFill: seconds()
    .default(60)
    .describe('Seconds that an image goes on into the cache after all who asked for it have left; 0 stops at once.'),
  maxQueued: z.int().min(0).max(100_000).default(1_000).describe('Images that may be queued for the cache.'),
})
