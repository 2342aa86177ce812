import type { ImagePatch, ImageStatus, Visibility } from 'mullion/images'
import { parseBoolean, parseInteger, parseIsoTime } from '../v1/values.ts'
import { type Table, tableOf } from './body.ts'
import { invalid } from './errors.ts'

/** Key of an image → how it is read from a key of the body. */
type Readers = Readonly<Record<string, readonly [key: string, read: (value: unknown, name: string) => unknown]>>

const STATUSES: Readonly<Record<ImageStatus, true>> = {
  queued: true,
  saving: true,
  uploading: true,
  importing: true,
  active: true,
  killed: true,
  deactivated: true,
  pending_delete: true,
  deleted: true,
}
const VISIBILITIES: ReadonlySet<unknown> = new Set<Visibility>(['public', 'private', 'shared', 'community'])
const MAX_INT32 = 2_147_483_647

const GLANCE: Readers = {
  name: ['name', text],
  status: ['status', status],
  owner: ['owner', (value, name) => text(value, name) || undefined],
  size: ['size', size],
  virtual_size: ['virtualSize', size],
  checksum: ['checksum', text],
  disk_format: ['diskFormat', text],
  container_format: ['containerFormat', text],
  min_disk: ['minDisk', minimum],
  min_ram: ['minRam', minimum],
  protected: ['protected', boolean],
}
const EXTENDED: Readers = {
  ...GLANCE,
  owner: ['owner', text],
  writer: ['writer', text],
  status_reason: ['reason', text],
  visibility: ['visibility', visibility],
  os_hash_algo: ['hashAlgorithm', text],
  os_hash_value: ['hashValue', text],
  tags: ['tags', tags],
  deleted_at: ['deletedAt', time],
}

/** The fields that are present, without properties and locations; unknown keys are ignored. Throws 400. */
export function readFields(image: Table, extended: boolean): ImagePatch {
  const readers = extended ? EXTENDED : GLANCE
  const present = Object.entries(readers).filter(([name]) => image.has(name))
  return Object.fromEntries(present.map(([name, [key, read]]) => [key, read(image.get(name), name)])) as ImagePatch
}

/** Undefined when the key is absent. */
export function readProperties(image: Table): ReadonlyMap<string, string | null> | undefined {
  if (!image.has('properties')) return undefined
  const properties = tableOf(image.get('properties'))
  if (!properties) throw invalid('properties', 'Invalid image properties: expected an object')
  return new Map([...properties].map(([name, value]) => [name, property(name, value)]))
}

/** Undefined when the key is absent. */
export function readIsPublic(image: Table): boolean | undefined {
  return image.has('is_public') ? boolean(image.get('is_public'), 'is_public') : undefined
}

/** Throws 400 for what is no time. */
export function time(value: unknown, name: string): Date | undefined {
  if (value === null) return undefined
  const parsed = typeof value === 'string' ? parseIsoTime(value) : undefined
  if (!parsed) throw invalid(name, `Invalid time format for ${name}.`)
  return parsed
}

function text(value: unknown, name: string): string | undefined {
  if (value === null) return undefined
  if (typeof value === 'string') return value
  throw invalid(name, `Invalid ${name} for image: expected text`)
}

function status(value: unknown): ImageStatus {
  if (value === null || value === '') throw invalid('status', 'Image status is required.')
  if (typeof value === 'string' && Object.hasOwn(STATUSES, value)) return value as ImageStatus
  throw invalid('status', `Invalid image status ${shown(value)} for image.`)
}

function size(value: unknown, name: string): number | undefined {
  return value === null ? undefined : integer(value, name)
}

function minimum(value: unknown, name: string): number {
  const number = value === null ? 0 : integer(value, name)
  if (number <= MAX_INT32) return number
  throw invalid(name, `'${name}' value out of range, must not exceed ${MAX_INT32}.`)
}

function integer(value: unknown, name: string): number {
  const number = typeof value === 'string' ? parseInteger(value) : value
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number
  throw invalid(name, `Invalid ${name} for image: expected an integer`)
}

function boolean(value: unknown, name: string): boolean {
  if (value === null) return false
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return value !== 0
  if (typeof value === 'string') return parseBoolean(value)
  throw invalid(name, `Invalid ${name} for image: expected a boolean`)
}

function visibility(value: unknown): Visibility {
  if (VISIBILITIES.has(value)) return value as Visibility
  throw invalid('visibility', `Invalid visibility ${shown(value)} for image.`)
}

/** In an error, in the quotes of Glance. */
export function shown(value: unknown): string {
  return `'${typeof value === 'string' ? value : JSON.stringify(value)}'`
}

function tags(value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((tag) => typeof tag === 'string')) return value
  throw invalid('tags', 'Invalid tags for image: expected a list of text')
}

function property(name: string, value: unknown): string | null {
  if (value === null || typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  throw invalid('properties', `Invalid value of property ${name}: expected text`)
}
