import type { Generated, GeneratedAlways } from 'kysely'

/**
 * UTC, `2016-11-22T08:23:58.800Z`. Text of fixed width sorts like time and means the same in every database, whatever
 * its time zone and precision.
 */
export type TimeText = string

/** 0 or 1: not every database has booleans. */
export type Flag = number

interface Lifetime {
  readonly created_at: TimeText
  readonly updated_at: TimeText
  readonly deleted_at: TimeText | null
  readonly deleted: Flag
}

export interface ImagesTable extends Lifetime {
  readonly id: string
  /** The same for every spelling of one UUID; unique for ever. */
  readonly id_key: string
  readonly name: string | null
  readonly status: string
  readonly status_reason: string | null
  /** 1 when the status is deleted, pending_delete or killed: usual lists skip these rows by index. */
  readonly hidden: Flag
  readonly visibility: string
  readonly owner: string | null
  readonly size: number | null
  readonly virtual_size: number | null
  readonly checksum: string | null
  readonly os_hash_algo: string | null
  readonly os_hash_value: string | null
  readonly disk_format: string | null
  readonly container_format: string | null
  readonly min_disk: number
  readonly min_ram: number
  readonly protected: Flag
  /** The claim that brings the data. */
  readonly writer: string | null
  readonly sort_name: GeneratedAlways<string>
  readonly sort_container_format: GeneratedAlways<string>
  readonly sort_disk_format: GeneratedAlways<string>
  readonly sort_size: GeneratedAlways<number>
}

interface ChildTable extends Lifetime {
  readonly id: Generated<number>
  readonly image_id: string
}

export interface PropertiesTable extends ChildTable {
  readonly name: string
  readonly value: string | null
  /** Its first characters. */
  readonly value_start: GeneratedAlways<string | null>
  /** When the image was created, which never changes. */
  readonly image_created_at: TimeText
}

export interface TagsTable extends ChildTable {
  readonly value: string
}

export interface LocationsTable extends ChildTable {
  /** Place in the image's list, from 0. */
  readonly position: number
  /** Sealed URI. */
  readonly value: string
  /** Sealed JSON object. */
  readonly meta_data: string
  /** `active`, `pending`, `pending_delete`; `deleted` for a location that was replaced. */
  readonly status: string
}

export interface MembersTable extends ChildTable {
  readonly member: string
  readonly can_share: Flag
  readonly status: string
}

export type TaskStatus = 'waiting' | 'running' | 'done' | 'failed'

export interface TasksTable {
  /** Order of arrival. */
  readonly seq: Generated<number>
  readonly id: string
  readonly kind: string
  readonly image_id: string
  /** JSON object, sealed for a copy; cleared once the task is over. */
  readonly payload: string | null
  readonly status: TaskStatus
  readonly worker: string | null
  /** Of the claim that holds it. */
  readonly token: string | null
  readonly lease_until: TimeText | null
  /** Claims so far. */
  readonly attempts: Generated<number>
  readonly message: string | null
  readonly created_at: TimeText
  readonly started_at: TimeText | null
  readonly finished_at: TimeText | null
}

export interface Tables {
  readonly images: ImagesTable
  readonly image_properties: PropertiesTable
  readonly image_tags: TagsTable
  readonly image_locations: LocationsTable
  readonly image_members: MembersTable
  readonly tasks: TasksTable
}
