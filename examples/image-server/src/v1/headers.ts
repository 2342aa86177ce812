import type { Image } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { decodeOctets, encodeOctets } from '../plugins/octets.ts'
import { formatTime } from './values.ts'

const PREFIX = 'x_image_meta_'
const PROPERTY = 'x_image_meta_property_'

const FIELDS = [
  'location',
  'size',
  'is_public',
  'disk_format',
  'container_format',
  'name',
  'status',
  'copy_from',
  'uri',
  'checksum',
  'created_at',
  'updated_at',
  'deleted_at',
  'min_ram',
  'min_disk',
  'owner',
  'store',
  'id',
  'protected',
  'deleted',
  'virtual_size',
] as const

export type Field = (typeof FIELDS)[number]

/** What the `x-image-meta-*` headers of a request say. A key is there if the header was; an empty value is null. */
export interface ImageHeaders {
  readonly fields: ReadonlyMap<Field, string | null>
  /** Names in lower case, with `_` for `-`. */
  readonly properties: ReadonlyMap<string, string | null>
}

const KNOWN: ReadonlySet<string> = new Set(FIELDS)

/**
 * Reads names and values in order of arrival, alternating, one character per octet as Node gives them. Headers of the
 * same name are joined with a comma. Throws 400 for an unknown `x-image-meta-*` name and for octets that are no UTF-8.
 */
export function readImageHeaders(rawHeaders: readonly string[]): ImageHeaders {
  const fields = new Map<Field, string>()
  const properties = new Map<string, string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const written = (rawHeaders[at] ?? '').toLowerCase()
    const name = written.replaceAll('-', '_')
    if (!name.startsWith(PREFIX)) continue
    const value = decodeOctets(rawHeaders[at + 1] ?? '')
    if (name.startsWith(PROPERTY)) {
      append(properties, name.slice(PROPERTY.length), value)
      continue
    }
    const field = name.slice(PREFIX.length)
    if (!KNOWN.has(field)) throw new ApiError(400, `Bad header: ${written}`)
    append(fields, field as Field, value)
  }
  return { fields: emptyAsNull(fields), properties: emptyAsNull(properties) }
}

/**
 * The headers that describe an image: names in lower case, values one character per UTF-8 octet. What no header can
 * carry is left out. `size` replaces that of the record.
 */
export function writeImageHeaders(image: Image, size: number = image.size ?? 0): [name: string, value: string][] {
  const core: Record<string, string | undefined> = {
    id: image.id,
    name: image.name,
    status: image.status,
    size: String(size),
    virtual_size: image.virtualSize?.toString(),
    disk_format: image.diskFormat,
    container_format: image.containerFormat,
    checksum: image.checksum,
    min_disk: String(image.minDisk),
    min_ram: String(image.minRam),
    owner: image.owner,
    is_public: flag(image.visibility === 'public'),
    protected: flag(image.protected),
    created_at: formatTime(image.createdAt),
    updated_at: formatTime(image.updatedAt),
    deleted: flag(image.deletedAt !== undefined),
    deleted_at: image.deletedAt && formatTime(image.deletedAt),
  }
  const pairs: [string, string | null | undefined][] = [
    ...Object.entries(core).map(([name, value]): [string, string | undefined] => [`x-image-meta-${name}`, value]),
    ...[...image.properties].map(([name, value]): [string, string | null] => [
      `x-image-meta-property-${name.toLowerCase()}`,
      value,
    ]),
    ['etag', image.checksum],
  ]
  const headers: [string, string][] = []
  for (const [name, value] of pairs) {
    if (typeof value === 'string' && TOKEN.test(name) && !FORBIDDEN.test(value))
      headers.push([name, encodeOctets(value)])
  }
  return headers
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/ // RFC 9110 §5.6.2, lower case
// oxlint-disable-next-line no-control-regex -- RFC 9110 §5.5: no CR, LF, NUL or other control but the tab
const FORBIDDEN = /[\x00-\x08\x0a-\x1f\x7f]/

function append<K>(map: Map<K, string>, name: K, value: string): void {
  const before = map.get(name)
  map.set(name, before === undefined ? value : `${before},${value}`)
}

function emptyAsNull<K>(map: ReadonlyMap<K, string>): Map<K, string | null> {
  return new Map([...map].map(([name, value]) => [name, value === '' ? null : value]))
}

function flag(value: boolean): string {
  return value ? 'True' : 'False'
}
