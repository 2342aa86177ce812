import type { Stores } from '../stores.ts'
import type { Image, ImagePatch, LocationStatus, PublicImage, Visibility } from './image.ts'
import type { ImageStatus } from './status.ts'
import type { Task } from './tasks.ts'

/** Everything the use cases need from outside. Each port has an in-memory adapter. */
export interface Ports {
  readonly images: ImageRegistry
  readonly members: MemberRegistry
  readonly stores: ImageStores
  readonly notifier: Notifier
  readonly policy: Policy
  readonly tasks: TaskQueue
  readonly now: () => Date
  readonly newId: () => string
}

/** The part of `Stores` that the use cases call. */
export type ImageStores = Pick<
  Stores,
  'getKnownSchemes' | 'getStoreFromLocation' | 'getSizeFromBackend' | 'add' | 'get' | 'delete'
>

/** The records of images. Every change is one transaction. */
export interface ImageRegistry {
  /** Rejects `already_exists`, also when the id belonged to an image that was deleted: ids are never used again. */
  insert(image: Image): Promise<Image>
  /** Deleted images too. Rejects `not_found`. */
  get(id: string): Promise<Image>
  /**
   * Applies the patch and sets `updatedAt`. With `expect`, only if the status is one of those at the moment of the
   * write: otherwise rejects `conflict` and changes nothing. Rejects `not_found`. A patch that sets the status to
   * `deleted` soft-deletes properties, tags and members with the image; locations go only when the patch says so.
   */
  update(id: string, patch: ImagePatch, expect?: readonly ImageStatus[]): Promise<Image>
  /** Rejects `invalid_argument` (marker) when no image has the id. */
  list(query: ImageQuery): Promise<readonly Image[]>
}

/** Whose images a list is about. `shared` means a live membership, whatever its status. */
export type ImageScope =
  /** Everything. */
  | { readonly kind: 'all' }
  /** Public, owned by, or shared with `owner`; an undefined owner sees public images only. */
  | { readonly kind: 'visible'; readonly owner: string | undefined }
  /** Everything with, or without, this visibility. */
  | { readonly kind: 'not'; readonly visibility: Visibility }

export const SORT_KEYS = [
  'name',
  'status',
  'containerFormat',
  'diskFormat',
  'size',
  'id',
  'createdAt',
  'updatedAt',
] as const
export type SortKey = (typeof SORT_KEYS)[number]

export interface ImageFilters {
  /** One of the values. */
  readonly name?: readonly string[]
  readonly status?: readonly string[]
  readonly diskFormat?: readonly string[]
  readonly containerFormat?: readonly string[]
  /** Inclusive bounds in bytes. An unknown size counts as 0. */
  readonly sizeMin?: number
  readonly sizeMax?: number
  readonly minDisk?: number
  readonly minRam?: number
  readonly protected?: boolean
  /** `updatedAt` later than this. */
  readonly changesSince?: Date
  /** At least one location is in this status. */
  readonly locationStatus?: LocationStatus
  /** Each property has exactly this value. */
  readonly properties?: ReadonlyMap<string, string>
}

export interface ImageQuery {
  readonly scope: ImageScope
  readonly filters: ImageFilters
  /** Whether images in status deleted, pending_delete or killed are part of the list. */
  readonly includeDeleted: boolean
  /** Ties are broken by createdAt, then id, in the same direction. An unset value sorts as '' or 0. */
  readonly sortKey: SortKey
  readonly sortDirection: 'asc' | 'desc'
  /** 0 or more. */
  readonly limit: number
  /**
   * Id of the last image of the page before; the list starts strictly after its place in the order. It need not be in the
   * scope or match the filters: an image may change between two pages.
   */
  readonly marker?: string
}

export interface Member {
  readonly imageId: string
  readonly member: string
  readonly canShare: boolean
}

/** Who an image is shared with. */
export interface MemberRegistry {
  find(imageId: string, member: string): Promise<Member | undefined>
  list(imageId: string): Promise<readonly Member[]>
  /** Adds or changes one. */
  put(member: Member): Promise<void>
  /** Rejects `not_found`. */
  remove(imageId: string, member: string): Promise<void>
}

/** Who asks. */
export interface Actor {
  readonly user: string | undefined
  /** The tenant (or user) that owns what the actor creates. */
  readonly owner: string | undefined
  /** Lower case. */
  readonly roles: readonly string[]
  readonly admin: boolean
  readonly readOnly: boolean
}

export type NotificationEvent = 'create' | 'prepare' | 'upload' | 'activate' | 'update' | 'delete' | 'send'

/** May not throw and may not wait. */
export interface Notifier {
  notify(event: NotificationEvent, image: PublicImage, failure?: string): void
}

/** Rule names of the Images v1 API. */
export type Action =
  | 'get_images'
  | 'get_image'
  | 'download_image'
  | 'add_image'
  | 'modify_image'
  | 'publicize_image'
  | 'copy_from'
  | 'upload_image'
  | 'set_image_location'
  | 'delete_image'

/** Resolves when the actor may; rejects `permission_denied`. */
export interface Policy {
  enforce(action: Action, actor: Actor, image?: PublicImage): Promise<void>
}

/** Work that outlives a request and a process. */
export interface TaskQueue {
  enqueue(task: Task): Promise<void>
  /** The oldest task that nobody holds, now held by `worker`; undefined when there is none. */
  claim(worker: string): Promise<Task | undefined>
  /** The task is over, well or badly. `failure` says why it failed. */
  settle(id: string, failure?: string): Promise<void>
  /** Gives back what `worker` held, for a process that starts where one of the same name died. */
  release(worker: string): Promise<void>
  /** Ids of the images that an open task is about. */
  openImageIds(): Promise<ReadonlySet<string>>
}
