import type { Image, PublicImage } from 'mullion/images'
import { formatTime } from './values.ts'

/** An image as `/images/detail` and the answers to POST and PUT show it: no locations, no store. */
export interface ImageDetail {
  readonly id: string
  readonly name: string | null
  readonly status: string
  readonly size: number
  readonly checksum: string | null
  readonly disk_format: string | null
  readonly container_format: string | null
  readonly min_ram: number
  readonly min_disk: number
  readonly virtual_size: number | null
  readonly is_public: boolean
  readonly protected: boolean
  readonly owner: string | null
  readonly deleted: boolean
  readonly deleted_at: string | null
  readonly created_at: string
  readonly updated_at: string
  readonly properties: Readonly<Record<string, string | null>>
}

/** An image as `/images` shows it. */
export type ImageBrief = Pick<ImageDetail, 'id' | 'name' | 'disk_format' | 'container_format' | 'checksum' | 'size'>

export function imageDetail(image: PublicImage): ImageDetail {
  return {
    id: image.id,
    name: image.name ?? null,
    status: image.status,
    size: image.size ?? 0,
    checksum: image.checksum ?? null,
    disk_format: image.diskFormat ?? null,
    container_format: image.containerFormat ?? null,
    min_ram: image.minRam,
    min_disk: image.minDisk,
    virtual_size: image.virtualSize ?? null,
    is_public: image.visibility === 'public',
    protected: image.protected,
    owner: image.owner ?? null,
    deleted: image.deletedAt !== undefined,
    deleted_at: image.deletedAt ? formatTime(image.deletedAt) : null,
    created_at: formatTime(image.createdAt),
    updated_at: formatTime(image.updatedAt),
    properties: Object.fromEntries(image.properties), // defines keys, so that __proto__ is one like any other
  }
}

export function imageBrief(image: Image): ImageBrief {
  return {
    id: image.id,
    name: image.name ?? null,
    disk_format: image.diskFormat ?? null,
    container_format: image.containerFormat ?? null,
    checksum: image.checksum ?? null,
    size: image.size ?? 0,
  }
}
