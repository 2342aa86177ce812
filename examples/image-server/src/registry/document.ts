import type { Image, ImageLocation } from 'mullion/images'
import { formatTime } from '../v1/values.ts'
import type { Caller } from './context.ts'

export interface LocationDocument {
  /** Its place among the locations of the image, from 1. */
  readonly id: number
  readonly url: string
  readonly metadata: Readonly<Record<string, string>>
  readonly status: string
}

/** An image as the registry shows it (glance/registry/api/v1/images.py, make_image_dict). */
export interface ImageDocument {
  readonly id: string
  readonly name: string | null
  readonly status: string
  readonly size: number | null
  readonly virtual_size: number | null
  readonly disk_format: string | null
  readonly container_format: string | null
  readonly min_disk: number
  readonly min_ram: number
  readonly is_public: boolean
  readonly protected: boolean
  readonly checksum: string | null
  readonly owner: string | null
  readonly created_at: string
  readonly updated_at: string
  readonly deleted_at: string | null
  readonly deleted: boolean
  readonly properties: Readonly<Record<string, string | null>>
  /** The first active one. */
  readonly location: string | null
  readonly location_data: readonly LocationDocument[]
}

/** What Glance's registry does not have. */
export interface ExtendedDocument extends ImageDocument {
  readonly visibility: string
  readonly tags: readonly string[]
  readonly status_reason: string | null
  readonly writer: string | null
  readonly os_hash_algo: string | null
  readonly os_hash_value: string | null
}

export type BriefDocument = Pick<
  ImageDocument,
  'id' | 'name' | 'size' | 'disk_format' | 'container_format' | 'checksum'
>

export function imageDocument(image: Image, caller: Caller, withDeleted = false): ImageDocument | ExtendedDocument {
  const locations = image.locations
    .map((location, index) => locationDocument(location, index + 1))
    .filter(({ status }) => isShown(status, image, caller, withDeleted))
  const document: ImageDocument = {
    ...briefDocument(image),
    status: image.status,
    virtual_size: image.virtualSize ?? null,
    min_disk: image.minDisk,
    min_ram: image.minRam,
    is_public: image.visibility === 'public',
    protected: image.protected,
    owner: image.owner ?? null,
    created_at: formatTime(image.createdAt),
    updated_at: formatTime(image.updatedAt),
    deleted_at: image.deletedAt ? formatTime(image.deletedAt) : null,
    deleted: image.deletedAt !== undefined,
    properties: Object.fromEntries(image.properties), // defines keys, so that __proto__ is one like any other
    location: locations.find(({ status }) => status === 'active')?.url ?? null,
    location_data: locations,
  }
  return caller.extended ? { ...document, ...extension(image) } : document
}

export function briefDocument(image: Image): BriefDocument {
  return {
    id: image.id,
    name: image.name ?? null,
    size: image.size ?? null,
    disk_format: image.diskFormat ?? null,
    container_format: image.containerFormat ?? null,
    checksum: image.checksum ?? null,
  }
}

function extension(image: Image): Omit<ExtendedDocument, keyof ImageDocument> {
  return {
    visibility: image.visibility,
    tags: image.tags,
    status_reason: image.reason ?? null,
    writer: image.writer ?? null,
    os_hash_algo: image.hashAlgorithm ?? null,
    os_hash_value: image.hashValue ?? null,
  }
}

function locationDocument({ uri, metadata, status }: ImageLocation, id: number): LocationDocument {
  return { id, url: uri, metadata, status }
}

/** In Glance a location that awaits the scrubber is deleted, and one that is not committed does not exist. */
function isShown(status: string, image: Image, { actor, extended }: Caller, withDeleted: boolean): boolean {
  if (extended) return true
  if (image.status === 'deactivated' && !actor.admin) return false
  return status === 'active' || (withDeleted && status === 'pending_delete')
}
