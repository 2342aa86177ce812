import type { Stores } from '../stores.ts'
import type { Image, ImagePatch, LocationStatus, PublicImage, Visibility } from './image.ts'
import type { ImageStatus } from './status.ts'
import type { Claim, OpenTask, Task } from './tasks.ts'

/** Everything the use cases need from outside. Each port has an in-memory adapter. */
export interface Ports {
  readonly images: ImageRegistry
  readonly members: MemberRegistry
  readonly stores: ImageStores
  readonly notifier: Notifier
  readonly policy: Policy
  readonly tasks: TaskQueue
  /** The name under which this process holds tasks. No other live process may have it. */
  readonly worker: string
  readonly now: () => Date
  readonly newId: () => string
}

/** The part of `Stores` that the use cases call. */
export type ImageStores = Pick<
  Stores,
  'getKnownSchemes' | 'getStoreFromLocation' | 'getSizeFromBackend' | 'add' | 'get' | 'delete' | 'setAcls'
>

/** The records of images. Every change is one transaction. */
export interface ImageRegistry {
  /** Rejects `already_exists`, also when the id belonged to an image that was deleted: ids are never used again. */
  insert(image: Image): Promise<Image>
  /** Deleted images too. Rejects `not_found`. */
  get(id: string): Promise<Image>
  /**
   * Applies the patch and sets `updatedAt`. With `expect`, only if the record is as expected at the moment of the write:
   * otherwise rejects `conflict` and changes nothing. Rejects `not_found`. A patch that sets the status to `deleted`
   * soft-deletes properties, tags and members with the image; locations go only when the patch says so.
   */
  update(id: string, patch: ImagePatch, expect?: Expectation): Promise<Image>
  /** Rejects `invalid_argument` (marker) when no image has the id. */
  list(query: ImageQuery): Promise<readonly Image[]>
  /**
   * Bytes that an owner's images take up: the size of each, as often as it has locations (`pending` ones do not count),
   * except of those that are killed or deleted (glance/db/sqlalchemy/api.py, user_get_storage_usage).
   */
  usage(owner: string, options?: { readonly except?: string | undefined }): Promise<number>
}

/** What a record has to be for a write to happen. */
export interface Expectation {
  /** One of these. */
  readonly status: readonly ImageStatus[]
  /** This one. Undefined: whichever. */
  readonly writer?: string | undefined
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

/** A member to be: `canShare` undefined leaves that of an existing member as it is, and is false for a new one. */
export interface MemberDraft {
  readonly member: string
  readonly canShare?: boolean | undefined
}

/** Who an image is shared with. */
export interface MemberRegistry {
  find(imageId: string, member: string): Promise<Member | undefined>
  list(imageId: string): Promise<readonly Member[]>
  /** The memberships of one tenant, in images that are not deleted; with `ownedBy`, in those of that owner only. */
  sharedWith(member: string, options?: { readonly ownedBy?: string | undefined }): Promise<readonly Member[]>
  /**
   * Adds or changes one. Rejects `not_found` when there is no such image, and `quota_exceeded` when a new member would be
   * one more than `limit`.
   */
  put(imageId: string, member: MemberDraft, options?: { readonly limit?: number | undefined }): Promise<void>
  /** Makes the members exactly these, in one step; of two drafts for one member the last counts. Rejects `not_found`. */
  replace(imageId: string, members: readonly MemberDraft[]): Promise<void>
  /** Rejects `not_found`. */
  remove(imageId: string, member: string): Promise<void>
}

/** Who asks. */
export interface Actor {
  readonly user: string | undefined
  /** Glance's word for a project. */
  readonly tenant: string | undefined
  /** The tenant, or the user where users own images: who owns what the actor creates. */
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
  | 'get_members'
  | 'modify_member'
  | 'delete_member'
  | 'manage_image_cache'

/** Resolves when the actor may; rejects `permission_denied`. */
export interface Policy {
  enforce(action: Action, actor: Actor, image?: PublicImage): Promise<void>
}

/**
 * Work that outlives a request and a process. Whoever does a task holds a lease on it and renews that in time; a lease
 * that ran out gives the task to the next who asks. Each claim has another token: what an earlier holder says about the
 * task afterwards is refused.
 */
export interface TaskQueue {
  /** Puts a task into the queue. Rejects `already_exists` for an id that was used. */
  enqueue(task: Task): Promise<void>
  /** A task that `worker` does at once: it is held from the start. Rejects `already_exists`. */
  begin(task: Task, worker: string): Promise<Claim>
  /** The oldest task of a kind that nobody holds, or whose lease ran out, now held by `worker`; undefined when there is none. */
  claim<K extends Task['kind']>(worker: string, kind: K): Promise<Claim<Extract<Task, { kind: K }>> | undefined>
  /** Extends the lease by its whole length. Rejects `conflict` when the claim holds the task no longer. */
  renew(claim: Claim): Promise<void>
  /** The task is over, well or badly. `failure` says why it failed. Rejects `conflict` as `renew` does. */
  settle(claim: Claim, failure?: string): Promise<void>
  /** Lets somebody else do the task, in its old place. Does nothing when the claim holds it no longer. */
  giveBack(claim: Claim): Promise<void>
  /** Gives back all that `worker` held, for a process that starts where one of the same name died. */
  release(worker: string): Promise<void>
  /** The tasks that wait or run, oldest first. */
  list(): Promise<readonly OpenTask[]>
}
