import type { ImageStatus } from './status.ts'

export type Visibility = 'public' | 'private' | 'shared' | 'community'

/**
 * `pending`: announced by the store, not yet committed; after a crash its data is removed.
 * `pending_delete`: its data awaits the scrubber.
 */
export type LocationStatus = 'pending' | 'active' | 'pending_delete'

/** Where the bytes of an image are. The URI may hold a secret: it never leaves the service. */
export interface ImageLocation {
  readonly uri: string
  readonly metadata: Readonly<Record<string, string>>
  readonly status: LocationStatus
}

/** The record of an image. `undefined` means unknown or not set; sizes are bytes. */
export interface Image {
  /** As the creator wrote it, at most 36 characters. */
  readonly id: string
  readonly name: string | undefined
  readonly status: ImageStatus
  /** The claim whose holder brings the data, while it does: nobody else may go on with it. */
  readonly writer: string | undefined
  /** Why the image was killed, for operators. */
  readonly reason: string | undefined
  readonly visibility: Visibility
  readonly owner: string | undefined
  readonly size: number | undefined
  readonly virtualSize: number | undefined
  /** md5, lower-case hex; before the data arrives it is what the creator expects. */
  readonly checksum: string | undefined
  readonly hashAlgorithm: string | undefined
  readonly hashValue: string | undefined
  readonly diskFormat: string | undefined
  readonly containerFormat: string | undefined
  /** GB. */
  readonly minDisk: number
  /** MB. */
  readonly minRam: number
  readonly protected: boolean
  /** A Map because names come from strangers. A null value is a property that is there and empty (Images v1). */
  readonly properties: ReadonlyMap<string, string | null>
  readonly tags: readonly string[]
  readonly locations: readonly ImageLocation[]
  readonly createdAt: Date
  readonly updatedAt: Date
  /** Set once the image is deleted or awaits the scrubber. */
  readonly deletedAt: Date | undefined
}

/** What strangers may see: locations can hold credentials, so the type has none. */
export type PublicImage = Omit<Image, 'locations' | 'reason' | 'writer'>

/** What a creator chooses. Everything else starts at its default. */
export type ImageDraft = Partial<
  Omit<Image, 'status' | 'writer' | 'reason' | 'locations' | 'createdAt' | 'updatedAt' | 'deletedAt'>
>

/** Keys that are present change; `undefined` clears the field. `updatedAt` is the registry's own. */
export interface ImagePatch extends Partial<Omit<Image, 'id' | 'createdAt' | 'updatedAt' | 'properties'>> {
  /** Sets these; the others stay, or go when `purge` is true. */
  readonly properties?: { readonly set: ReadonlyMap<string, string | null>; readonly purge: boolean }
}

/** The record without what only the service may know. */
export function publicImage(image: Image): PublicImage {
  const { locations: _locations, reason: _reason, writer: _writer, ...rest } = image
  return rest
}

/** A new record in status queued. `now` and `newId` are given, so that tests decide them. */
export function newImage(draft: ImageDraft, now: Date, newId: () => string): Image {
  return {
    name: undefined,
    visibility: 'private',
    owner: undefined,
    size: undefined,
    virtualSize: undefined,
    checksum: undefined,
    hashAlgorithm: undefined,
    hashValue: undefined,
    diskFormat: undefined,
    containerFormat: undefined,
    minDisk: 0,
    minRam: 0,
    protected: false,
    properties: new Map(),
    tags: [],
    ...draft,
    id: draft.id ?? newId(),
    status: 'queued',
    writer: undefined,
    reason: undefined,
    locations: [],
    createdAt: now,
    updatedAt: now,
    deletedAt: undefined,
  }
}

/**
 * What makes two ids the same image's: a UUID in other letters, without hyphens, or in the forms `{…}` and `urn:uuid:…`
 * is one id (OSSN-0075 asks that an id is never used again). Other texts differ by their letters' case only.
 */
export function idKey(id: string): string {
  const lower = id.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
  const digits = lower.replace('urn:', '').replace('uuid:', '').replaceAll(/[{}-]/g, '')
  return /^[0-9a-f]{32}$/.test(digits) ? digits : lower
}
