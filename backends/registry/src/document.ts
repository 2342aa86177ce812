import type { Image, ImageLocation, ImagePatch, ImageStatus } from 'mullion/images'
import { z } from 'zod'
import { brokenAnswer, failure } from './errors.ts'
import type { Sealing } from './sealing.ts'

const text = z
  .string()
  .nullable()
  .transform((value) => value ?? undefined)
const integer = z
  .int()
  .nullable()
  .transform((value) => value ?? undefined)
/** UTC without a zone, with microseconds (glance/registry/api/v1/images.py). */
const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/)
  .transform((value) => new Date(`${value.slice(0, 23)}Z`))

const STATUSES = {
  queued: true,
  saving: true,
  uploading: true,
  importing: true,
  active: true,
  killed: true,
  deactivated: true,
  pending_delete: true,
  deleted: true,
} as const satisfies Record<ImageStatus, true>

const location = z.object({
  url: z.string(),
  // an object of its own because zod leaves out keys named __proto__
  metadata: z.custom<Readonly<Record<string, string>>>((value) => isTable(value, (item) => typeof item === 'string')),
  status: z.enum(['pending', 'active', 'pending_delete']),
})

const document = z.object({
  id: z.string(),
  name: text,
  status: z.enum(Object.keys(STATUSES) as [ImageStatus, ...ImageStatus[]]),
  writer: text,
  status_reason: text,
  visibility: z.enum(['public', 'private', 'shared', 'community']),
  owner: text,
  size: integer,
  virtual_size: integer,
  checksum: text,
  os_hash_algo: text,
  os_hash_value: text,
  disk_format: text,
  container_format: text,
  min_disk: z.int(),
  min_ram: z.int(),
  protected: z.boolean(),
  properties: z.custom<Readonly<Record<string, string | null>>>((value) =>
    isTable(value, (item) => item === null || typeof item === 'string'),
  ),
  tags: z.array(z.string()),
  location_data: z.array(location),
  created_at: time,
  updated_at: time,
  deleted_at: time.nullable().transform((value) => value ?? undefined),
})

/** Key of an image → key of its document. */
const NAMES = {
  name: 'name',
  status: 'status',
  writer: 'writer',
  reason: 'status_reason',
  visibility: 'visibility',
  owner: 'owner',
  size: 'size',
  virtualSize: 'virtual_size',
  checksum: 'checksum',
  hashAlgorithm: 'os_hash_algo',
  hashValue: 'os_hash_value',
  diskFormat: 'disk_format',
  containerFormat: 'container_format',
  minDisk: 'min_disk',
  minRam: 'min_ram',
  protected: 'protected',
  tags: 'tags',
  deletedAt: 'deleted_at',
} as const satisfies Record<Exclude<keyof ImagePatch, 'properties' | 'locations'>, string>

/** Throws `unavailable` for what is no image, and what the seal throws. */
export function readImage(value: unknown, sealing: Sealing): Image {
  const data = parsed(value)
  return imageOf(
    data,
    data.location_data.map((entry) => openLocation(entry, data.id, sealing)),
  )
}

/** The same, but locations that do not open become hidden ones: all of the image, for nobody can compare them. */
export function readListed(value: unknown, sealing: Sealing): Image {
  const data = parsed(value)
  return imageOf(data, openOrHide(data, sealing))
}

type Document = z.infer<typeof document>

function openOrHide({ id, location_data: entries }: Document, sealing: Sealing): readonly ImageLocation[] {
  try {
    return entries.map((entry) => openLocation(entry, id, sealing))
  } catch {
    return entries.map(hiddenLocation)
  }
}

function parsed(value: unknown): Document {
  const result = document.safeParse(value)
  if (!result.success) {
    const fields = result.error.issues.map(({ path }) => path.join('.'))
    throw brokenAnswer(`it answered an image that is none (${fields.join(', ')}): is it a mullion registry?`)
  }
  return result.data
}

function imageOf(data: Document, locations: readonly ImageLocation[]): Image {
  return {
    id: data.id,
    name: data.name,
    status: data.status,
    writer: data.writer,
    reason: data.status_reason,
    visibility: data.visibility,
    owner: data.owner,
    size: data.size,
    virtualSize: data.virtual_size,
    checksum: data.checksum,
    hashAlgorithm: data.os_hash_algo,
    hashValue: data.os_hash_value,
    diskFormat: data.disk_format,
    containerFormat: data.container_format,
    minDisk: data.min_disk,
    minRam: data.min_ram,
    protected: data.protected,
    properties: new Map(Object.entries(data.properties)),
    tags: data.tags,
    locations,
    createdAt: data.created_at,
    updatedAt: data.updated_at,
    deletedAt: data.deleted_at,
  }
}

export function writeImage(image: Image, sealing: Sealing): object {
  const { properties, ...fields } = image
  return {
    ...writePatch(image.id, { ...fields, properties: { set: properties, purge: false } }, sealing),
    id: image.id,
    created_at: image.createdAt,
    updated_at: image.updatedAt,
  }
}

/** Only what the patch has; what it clears is null. */
export function writePatch(id: string, patch: ImagePatch, sealing: Sealing): object {
  const { properties, locations } = patch
  const fields = Object.entries(NAMES).filter(([key]) => Object.hasOwn(patch, key))
  return {
    ...Object.fromEntries(fields.map(([key, name]) => [name, patch[key as keyof typeof NAMES] ?? null])),
    ...(properties && { properties: Object.fromEntries(properties.set) }),
    ...(locations && { location_data: locations.map((entry) => closeLocation(entry, id, sealing)) }),
  }
}

/** The key in the metadata of a location under which all of it lies sealed. */
const SEALED = 'sealed'

/** No store serves the scheme: nothing can be read or deleted there. Also what the registry says itself of its own. */
const HIDDEN = 'sealed:unreadable'

/** Each has a URI of its own, as two places are not one. */
function hiddenLocation({ status }: z.infer<typeof location>, index: number): ImageLocation {
  return { uri: `${HIDDEN}#${index + 1}`, metadata: {}, status }
}

function closeLocation({ uri, metadata, status }: ImageLocation, imageId: string, sealing: Sealing): object {
  if (uri.startsWith(HIDDEN)) {
    const what = `locations: "${HIDDEN}" stands for a location that could not be read, and is none`
    throw failure('invalid_argument', what, { name: 'locations' })
  }
  const plain = JSON.stringify(metadata)
  const closed = sealing.close(plain, { imageId, purpose: 'location-metadata' })
  return {
    url: sealing.close(uri, { imageId, purpose: 'location' }),
    metadata: closed === plain ? metadata : { [SEALED]: closed },
    status,
  }
}

function openLocation(entry: z.infer<typeof location>, imageId: string, sealing: Sealing): ImageLocation {
  const sealed = entry.metadata[SEALED]
  return {
    uri: sealing.open(entry.url, { imageId, purpose: 'location' }),
    metadata: sealed?.startsWith('v1:') ? openMetadata(sealed, imageId, sealing) : entry.metadata,
    status: entry.status,
  }
}

function openMetadata(sealed: string, imageId: string, sealing: Sealing): Readonly<Record<string, string>> {
  return JSON.parse(sealing.open(sealed, { imageId, purpose: 'location-metadata' })) as Record<string, string>
}

function isTable(value: unknown, isItem: (item: unknown) => boolean): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  return Object.values(value).every(isItem)
}
