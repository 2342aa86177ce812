import type { HashName } from '../hash/digests.ts'
import type { Image, ImageLocation } from './image.ts'
import type { Claim } from './tasks.ts'

export interface UploadOptions {
  /** Default: the stores' default. */
  readonly store?: string | undefined
  /** Bytes the source announces, such as a Content-Length. The record's own size, if it has one, must match as well. */
  readonly size?: number | undefined
  /** Bytes; one more rejects `too_large`. */
  readonly limit?: number | undefined
  /** Bytes that all images of one owner may take up; more rejects `quota_exceeded`. Default: no limit. */
  readonly quota?: number | undefined
  /** What a failure makes of the image: v1 kills it for good, v2 lets data be sent again. */
  readonly onFailure: 'kill' | 'requeue'
  /** What aborting the signal makes of it. Default: what a failure does. */
  readonly onAbort?: 'kill' | 'requeue'
  readonly signal?: AbortSignal | undefined
  /** As for `stores.add`. */
  readonly sourceIdleTimeoutMs?: number | undefined
  /** The digest beside md5. Default sha512. */
  readonly hashAlgorithm?: HashName | undefined
}

/** One try to bring the data of an image that is in saving, by the holder of a claim. */
export interface Attempt {
  readonly image: Image
  readonly claim: Claim
  /** What the object is called in the store. An attempt that takes over from another must not meet its object. */
  readonly key: string
  /** Where the store puts the object, once it said so. */
  place?: ImageLocation
}
