import { MullionError } from 'mullion'
import type { Image, ImageLocation, ImageStatus, Member, Seal, Visibility } from 'mullion/images'
import { z } from 'zod'
import type { ImageRecord } from './put.ts'

/** The first line of an export. */
export interface Header {
  readonly format: 'mullion-records'
  readonly version: 1
  readonly exportedAt: string
}

/** All that a record can have. */
export const STATUSES: readonly ImageStatus[] = [
  'queued',
  'saving',
  'uploading',
  'importing',
  'active',
  'killed',
  'deactivated',
  'pending_delete',
  'deleted',
]

export const VISIBILITIES: readonly Visibility[] = ['public', 'private', 'shared', 'community']

const FORMAT = 'mullion-records'
const VERSION = 1

export function headerOf(now: Date): Header {
  return { format: FORMAT, version: VERSION, exportedAt: now.toISOString() }
}

/** A record as a line. URIs and metadata of locations are sealed as `seal` does: `v1:KEY:…`, or `plain:…`. */
export function documentOf(image: Image, members: readonly Member[], seal: Seal): object {
  const { id, properties, locations, createdAt, updatedAt, deletedAt, writer: _writer, ...fields } = image
  return {
    kind: 'image',
    id,
    ...fields,
    properties: [...properties], // pairs: a name may be __proto__
    locations: locations.map((location) => sealed(seal, id, location)),
    members: members.map(({ member, canShare }) => ({ member, canShare })),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
    ...(deletedAt && { deletedAt: deletedAt.toISOString() }),
  }
}

/** Throws `invalid_argument` for a line that is no record, and what `seal.open` throws. */
export function recordOf(line: string, where: string, seal: Seal): ImageRecord | { readonly end: number } {
  const parsed = lineSchema.safeParse(json(line, where))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw refused(where, `${issue?.path.join('.') || 'line'}: ${issue?.message ?? 'is no record'}`)
  }
  if (parsed.data.kind === 'end') return { end: parsed.data.images }
  const { kind: _kind, members, locations, properties, createdAt, updatedAt, deletedAt, ...fields } = parsed.data
  const image: Image = {
    ...UNSET,
    ...defined(fields),
    writer: undefined,
    properties: new Map(properties),
    locations: locations.map((location) => opened(seal, fields.id, location)),
    createdAt: new Date(createdAt),
    updatedAt: new Date(updatedAt),
    deletedAt: deletedAt === undefined ? undefined : new Date(deletedAt),
  }
  return { image, members }
}

/** Throws `invalid_argument` unless the line begins an export that this program can read. */
export function checkHeader(line: string, where: string): void {
  const value = json(line, where)
  const { format, version } = (typeof value === 'object' && value !== null ? value : {}) as Partial<Header>
  if (format !== FORMAT) throw refused(where, `is no export: expected a line with "format": "${FORMAT}"`)
  if (version !== VERSION) {
    throw refused(where, `the export has version ${String(version)}, this program reads ${VERSION}`)
  }
}

export function refused(where: string, what: string): MullionError<'invalid_argument'> {
  return new MullionError('invalid_argument', `${where}: ${what}`, { details: { name: where } })
}

function json(line: string, where: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    throw refused(where, 'is no JSON') // the parser's own words quote the line, which may hold secrets
  }
}

function sealed(seal: Seal, imageId: string, { uri, metadata, status }: ImageLocation): object {
  return {
    uri: seal.close(uri, { imageId, purpose: 'location' }),
    metadata: seal.close(JSON.stringify(metadata), { imageId, purpose: 'location-metadata' }),
    status,
  }
}

function opened(seal: Seal, imageId: string, { uri, metadata, status }: SealedLocation): ImageLocation {
  const text = seal.open(metadata, { imageId, purpose: 'location-metadata' })
  return {
    uri: seal.open(uri, { imageId, purpose: 'location' }),
    metadata: metadataOf(text, imageId),
    status,
  }
}

/** Not by zod, whose records drop a key `__proto__`. */
function metadataOf(text: string, imageId: string): Readonly<Record<string, string>> {
  const value = json(text, `image ${imageId}: metadata of a location`)
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (isRecord && Object.values(value).every((item) => typeof item === 'string')) return value as Record<string, string>
  throw refused(`image ${imageId}`, 'metadata of a location: expected an object of texts')
}

/** Absent keys are undefined keys of the record. */
function defined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}

const UNSET = {
  name: undefined,
  reason: undefined,
  owner: undefined,
  size: undefined,
  virtualSize: undefined,
  checksum: undefined,
  hashAlgorithm: undefined,
  hashValue: undefined,
  diskFormat: undefined,
  containerFormat: undefined,
}

const locationSchema = z.strictObject({
  uri: z.string(),
  metadata: z.string(),
  status: z.enum(['pending', 'active', 'pending_delete']),
})
type SealedLocation = z.infer<typeof locationSchema>

const whole = z.int().min(0)
const time = z.iso.datetime()

const lineSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('end'), images: whole }),
  z.strictObject({
    kind: z.literal('image'),
    id: z.string().min(1).max(36),
    name: z.string().optional(),
    status: z.enum(STATUSES),
    reason: z.string().optional(),
    visibility: z.enum(VISIBILITIES),
    owner: z.string().optional(),
    size: whole.optional(),
    virtualSize: whole.optional(),
    checksum: z.string().optional(),
    hashAlgorithm: z.string().optional(),
    hashValue: z.string().optional(),
    diskFormat: z.string().optional(),
    containerFormat: z.string().optional(),
    minDisk: whole,
    minRam: whole,
    protected: z.boolean(),
    properties: z.array(z.tuple([z.string(), z.string().nullable()])),
    tags: z.array(z.string()),
    locations: z.array(locationSchema),
    members: z.array(z.strictObject({ member: z.string().min(1), canShare: z.boolean() })),
    createdAt: time,
    updatedAt: time,
    deletedAt: time.optional(),
  }),
])
