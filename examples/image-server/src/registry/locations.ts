import type { ImageLocation, LocationStatus } from 'mullion/images'
import { type Table, tableOf } from './body.ts'
import { invalid } from './errors.ts'
import { shown } from './fields.ts'

/**
 * The locations a request describes, undefined when it describes none. Glance knows two fields, merged by URL: `location`
 * first, then what `location_data` has besides; with the extensions `location_data` is the whole list as it is.
 */
export function readLocations(image: Table, extended: boolean): readonly ImageLocation[] | undefined {
  const data = image.has('location_data') ? readList(image.get('location_data'), extended) : undefined
  if (extended) return data?.filter((location) => location !== undefined)
  const plain = image.get('location')
  if (data === undefined && typeof plain !== 'string') return undefined
  const merged = new Map<string, ImageLocation>()
  if (typeof plain === 'string') merged.set(plain, { uri: plain, metadata: {}, status: 'active' })
  for (const location of data ?? []) if (location) merged.set(location.uri, location)
  return [...merged.values()]
}

/**
 * What an update leaves: the given locations in place of those that Glance would see. An empty list changes nothing
 * (glance/db/sqlalchemy/api.py, _image_update).
 */
export function replaceLocations(
  current: readonly ImageLocation[],
  given: readonly ImageLocation[],
): readonly ImageLocation[] | undefined {
  if (given.length === 0) return undefined
  const uris = new Set(given.map(({ uri }) => uri))
  return [...given, ...current.filter(({ uri, status }) => status !== 'active' && !uris.has(uri))]
}

function readList(value: unknown, extended: boolean): readonly (ImageLocation | undefined)[] {
  if (Array.isArray(value)) return value.map((entry) => readLocation(entry, extended))
  throw invalid('location_data', 'Invalid location_data for image: expected a list')
}

/** Undefined for one that is deleted. */
function readLocation(value: unknown, extended: boolean): ImageLocation | undefined {
  const entry = tableOf(value)
  const uri = entry?.get('url')
  if (!entry || typeof uri !== 'string')
    throw invalid('location_data', 'Invalid location_data for image: expected a url')
  const status = entry.get('status') ?? 'active'
  if (status === 'deleted') return undefined
  if (!isStatus(status) || (status === 'pending' && !extended)) {
    throw invalid('location_data', `Invalid location status ${shown(status)} for image.`)
  }
  return { uri, metadata: readMetadata(entry.get('metadata') ?? {}), status }
}

function isStatus(value: unknown): value is LocationStatus {
  return value === 'pending' || value === 'active' || value === 'pending_delete'
}

function readMetadata(value: unknown): Readonly<Record<string, string>> {
  const metadata = tableOf(value)
  if (!metadata) throw invalid('location_data', 'Invalid location metadata for image: expected an object')
  const texts = [...metadata].map(([name, item]) => [name, typeof item === 'string' ? item : JSON.stringify(item)])
  return Object.fromEntries(texts) as Record<string, string>
}
