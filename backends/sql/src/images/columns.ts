import type { Selectable, Updateable } from 'kysely'
import type { Image, ImageLocation, ImageStatus, Visibility } from 'mullion/images'
import type { ImagesTable } from '../schema.ts'
import { checkInteger, checkText, MAX_INTEGER, toFlag, toTime } from '../values.ts'

/** The fields of an image that are columns and may change. */
export type ImageField = Exclude<keyof Image, 'id' | 'createdAt' | 'updatedAt' | 'properties' | 'tags' | 'locations'>

export type ImageColumns = Omit<Updateable<ImagesTable>, 'id' | 'id_key' | 'created_at' | 'updated_at'>

const HIDDEN: ReadonlySet<string> = new Set<ImageStatus>(['deleted', 'pending_delete', 'killed'])

type Encode = (value: never, field: string) => ImageColumns

const ENCODE: { readonly [F in ImageField]: (value: Image[F], field: string) => ImageColumns } = {
  name: (value, field) => ({ name: text(value, field, 255) }),
  status: (value, field) => ({ status: checkText(field, value, 30), hidden: toFlag(HIDDEN.has(value)) }),
  writer: (value, field) => ({ writer: text(value, field, 64) }),
  reason: (value, field) => ({ status_reason: text(value, field) }),
  visibility: (value, field) => ({ visibility: checkText(field, value, 20) }),
  owner: (value, field) => ({ owner: text(value, field, 255) }),
  size: (value, field) => ({ size: integer(value, field) }),
  virtualSize: (value, field) => ({ virtual_size: integer(value, field) }),
  checksum: (value, field) => ({ checksum: text(value, field, 32) }),
  hashAlgorithm: (value, field) => ({ os_hash_algo: text(value, field, 64) }),
  hashValue: (value, field) => ({ os_hash_value: text(value, field, 128) }),
  diskFormat: (value, field) => ({ disk_format: text(value, field, 20) }),
  containerFormat: (value, field) => ({ container_format: text(value, field, 20) }),
  minDisk: (value, field) => ({ min_disk: checkInteger(field, value, MAX_INTEGER) }),
  minRam: (value, field) => ({ min_ram: checkInteger(field, value, MAX_INTEGER) }),
  protected: (value) => ({ protected: toFlag(value) }),
  deletedAt: (value) => ({ deleted_at: value ? toTime(value) : null, deleted: toFlag(value !== undefined) }),
}

/** The columns of the fields that are present. Throws `invalid_argument` for a value the columns cannot hold. */
export function toColumns(fields: Partial<Pick<Image, ImageField>>): ImageColumns {
  const columns: ImageColumns = {}
  for (const [field, encode] of Object.entries(ENCODE)) {
    if (Object.hasOwn(fields, field))
      Object.assign(columns, (encode as Encode)(fields[field as ImageField] as never, field))
  }
  return columns
}

export interface ImageParts {
  readonly properties: ReadonlyMap<string, string | null>
  readonly tags: readonly string[]
  readonly locations: readonly ImageLocation[]
}

export function toImage(row: Selectable<ImagesTable>, parts: ImageParts): Image {
  return {
    id: row.id,
    name: row.name ?? undefined,
    status: row.status as ImageStatus,
    writer: row.writer ?? undefined,
    reason: row.status_reason ?? undefined,
    visibility: row.visibility as Visibility,
    owner: row.owner ?? undefined,
    size: row.size ?? undefined,
    virtualSize: row.virtual_size ?? undefined,
    checksum: row.checksum ?? undefined,
    hashAlgorithm: row.os_hash_algo ?? undefined,
    hashValue: row.os_hash_value ?? undefined,
    diskFormat: row.disk_format ?? undefined,
    containerFormat: row.container_format ?? undefined,
    minDisk: row.min_disk,
    minRam: row.min_ram,
    protected: row.protected !== 0,
    properties: parts.properties,
    tags: parts.tags,
    locations: parts.locations,
    createdAt: new Date(row.created_at),
    updatedAt: new Date(row.updated_at),
    deletedAt: row.deleted_at === null ? undefined : new Date(row.deleted_at),
  }
}

function text(value: string | undefined, field: string, limit?: number): string | null {
  return value === undefined ? null : checkText(field, value, limit)
}

function integer(value: number | undefined, field: string): number | null {
  return value === undefined ? null : checkInteger(field, value)
}
