import type { Hashes, HashName } from './hash/digests.ts'
import type { Location } from './location.ts'
import type { OnProgress } from './progress.ts'
import type { RetryPolicy } from './retry.ts'

export interface AddOptions<K extends string = string> {
  /** Default: the `default` of `createStores`. */
  readonly store?: K
  /** Bytes; enforced to the byte. Default: what the source knows. */
  readonly size?: number
  /** Bytes; one more rejects `too_large`. */
  readonly limit?: number
  /** Digests of the result. Default md5 and sha512. */
  readonly hashes?: readonly HashName[]
  /** Lower-case hex by algorithm, compared as text before the store commits; a mismatch rejects `hash_mismatch`. */
  readonly expect?: Hashes
  /** Handed to the store, which may keep it with the object. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Aborting rejects with `signal.reason` itself, once what was written is removed. Never retried. */
  readonly signal?: AbortSignal
  readonly onProgress?: OnProgress
  /** Longest wait for the next chunk of the source. Default: as the stores'; 0 for a source that watches itself. */
  readonly sourceIdleTimeoutMs?: number
  /**
   * Called, and awaited, once the place of the object is known and before anything is visible there; again for each
   * attempt. Record it, and a restart can remove what a crash left.
   */
  readonly onLocation?: (location: Location) => void | Promise<void>
}

export interface AddResult {
  readonly location: Location
  readonly store: string
  /** Bytes stored. */
  readonly size: number
  readonly hashes: Hashes
  /** What the store says of the object. */
  readonly metadata: Readonly<Record<string, string>>
}

export interface TransferLimits {
  readonly retry: RetryPolicy
  /** Longest wait for the next byte, in milliseconds; 0 for none. */
  readonly idleTimeoutMs: number
}
