import type { IncomingMessage } from 'node:http'
import { ApiError } from '../errors.ts'
import { decodeOctets } from '../plugins/octets.ts'
import type { V1Settings } from './context.ts'
import { type Field, readImageHeaders } from './headers.ts'
import { lengthOf, parseBoolean, parseInteger, parseIsoTime } from './values.ts'

/** A POST or PUT of an image, checked. Undefined: the header was not sent. Null: it was sent empty. */
export interface Metadata {
  readonly id: string | null | undefined
  readonly name: string | null | undefined
  readonly status: string | null | undefined
  readonly owner: string | null | undefined
  readonly checksum: string | null | undefined
  readonly store: string | null | undefined
  readonly location: string | null | undefined
  readonly diskFormat: string | undefined
  readonly containerFormat: string | undefined
  readonly size: number | undefined
  readonly virtualSize: number | null | undefined
  readonly minDisk: number | undefined
  readonly minRam: number | undefined
  readonly isPublic: boolean | undefined
  readonly protected: boolean | undefined
  readonly properties: ReadonlyMap<string, string | null>
  readonly copyFrom: string | undefined
  /** Of x-glance-registry-purge-props; true when the header is absent. */
  readonly purge: boolean
  readonly body: BodyFacts | undefined
}

export interface BodyFacts {
  /** Bytes, undefined for a chunked body. */
  readonly length: number | undefined
  readonly isOctetStream: boolean
}

const MAX_INT32 = 2_147_483_647

/** Reads and checks the headers of a request in the order of Images v1. Throws 400; reads nothing of the body. */
export function readMetadata(request: IncomingMessage, settings: V1Settings): Metadata {
  const { fields, properties } = readImageHeaders(request.rawHeaders)
  const integers = {
    size: integer(fields, 'size'),
    minDisk: integer(fields, 'min_disk', MAX_INT32),
    minRam: integer(fields, 'min_ram', MAX_INT32),
    virtualSize: virtualSize(fields),
  }
  const formats = checkedFormats(fields.get('disk_format'), fields.get('container_format'), settings)
  for (const field of ['created_at', 'updated_at', 'deleted_at'] as const) checkTime(fields, field)
  checkTexts(fields, properties)
  const body = bodyFacts(request)
  checkSize(body?.length ?? integers.size, settings.imageSizeCap)
  const copyFrom = lastHeader(request, 'x-glance-api-copy-from')
  const purge = lastHeader(request, 'x-glance-registry-purge-props')
  return {
    ...formats,
    ...integers,
    id: fields.get('id'),
    name: fields.get('name'),
    status: fields.get('status'),
    owner: fields.get('owner'),
    checksum: fields.get('checksum'),
    store: fields.get('store'),
    location: fields.get('location'),
    isPublic: boolean(fields, 'is_public'),
    protected: boolean(fields, 'protected'),
    properties,
    copyFrom,
    purge: purge === undefined || parseBoolean(purge),
    body,
  }
}

type Fields = ReadonlyMap<Field, string | null>

function integer(fields: Fields, field: Field, max = Number.POSITIVE_INFINITY): number | undefined {
  const text = fields.get(field)
  return text === undefined ? undefined : toInteger(text ?? '', field, max)
}

function virtualSize(fields: Fields): number | null | undefined {
  const text = fields.get('virtual_size')
  if (text === undefined) return undefined
  return text === null || text === 'None' ? null : toInteger(text, 'virtual_size', Number.MAX_SAFE_INTEGER)
}

function toInteger(text: string, field: string, max: number): number {
  const value = parseInteger(text)
  const problem = `Invalid value '${text}' for parameter '${field}':`
  if (value === undefined) throw new ApiError(400, `${problem} Cannot convert image ${field} '${text}' to an integer.`)
  if (value < 0) throw new ApiError(400, `${problem} Cannot be a negative value.`)
  if (value > max) throw new ApiError(400, `'${field}' value out of range, must not exceed ${max}.`)
  return value
}

function boolean(fields: Fields, field: Field): boolean | undefined {
  const text = fields.get(field)
  return text === undefined ? undefined : parseBoolean(text)
}

const AMAZON: ReadonlySet<string | undefined> = new Set(['aki', 'ari', 'ami'])

/** The formats of this request, where one of Amazon's stands for both. Throws 400 for unknown ones and for a mix. */
export function checkedFormats(
  disk: string | null | undefined,
  container: string | null | undefined,
  { diskFormats, containerFormats }: Pick<V1Settings, 'diskFormats' | 'containerFormats'>,
): { readonly diskFormat: string | undefined; readonly containerFormat: string | undefined } {
  if (disk !== undefined && !diskFormats.includes(disk ?? '')) {
    throw new ApiError(400, `Invalid disk format '${disk ?? 'None'}' for image.`)
  }
  if (container !== undefined && !containerFormats.includes(container ?? '')) {
    throw new ApiError(400, `Invalid container format '${container ?? 'None'}' for image.`)
  }
  const [diskFormat, containerFormat] = [disk ?? undefined, container ?? undefined]
  if (!AMAZON.has(diskFormat) && !AMAZON.has(containerFormat)) return { diskFormat, containerFormat }
  const both = { diskFormat: diskFormat ?? containerFormat, containerFormat: containerFormat ?? diskFormat }
  if (both.diskFormat === both.containerFormat) return both
  throw new ApiError(
    400,
    'Invalid mix of disk and container formats. When setting a disk or container format to one of ' +
      "'aki', 'ari', or 'ami', the container and disk formats must match.",
  )
}

function checkTime(fields: Fields, field: Field): void {
  const text = fields.get(field)
  if (typeof text === 'string' && !parseIsoTime(text)) throw new ApiError(400, `Invalid time format for ${field}.`)
}

function checkTexts(fields: Fields, properties: ReadonlyMap<string, string | null>): void {
  const name = lengthOf(fields.get('name') ?? '')
  if (name > 255) throw new ApiError(400, `Image name too long: ${name}`)
  const checksum = fields.get('checksum') ?? ''
  if (lengthOf(checksum) > 32) throw new ApiError(400, `Invalid checksum '${checksum}': can't exceed 32 characters`)
  const owner = lengthOf(fields.get('owner') ?? '')
  if (owner > 255) throw new ApiError(400, `Image owner too long: ${owner}`)
  for (const property of properties.keys()) {
    if (lengthOf(property) > 255) throw new ApiError(400, `Image property name too long: ${lengthOf(property)}`)
  }
}

function checkSize(size: number | undefined, cap: number): void {
  if (size !== undefined && (size > cap || !Number.isSafeInteger(size))) {
    throw new ApiError(400, `Denying attempt to upload image larger than ${cap} bytes.`)
  }
}

/** A chunked body is data even when it is empty; `Content-Length: 0` is none. */
function bodyFacts(request: IncomingMessage): BodyFacts | undefined {
  const length = Number(request.headers['content-length'] ?? 0)
  const chunked = request.headers['transfer-encoding'] !== undefined
  if (!chunked && length === 0) return undefined
  const mediaType = lastHeader(request, 'content-type')?.split(';')[0]?.trim().toLowerCase()
  return { length: chunked ? undefined : length, isOctetStream: mediaType === 'application/octet-stream' }
}

function lastHeader({ rawHeaders }: IncomingMessage, name: string): string | undefined {
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2) {
    if (rawHeaders[at]?.toLowerCase() === name) return decodeOctets(rawHeaders[at + 1] ?? '')
  }
  return undefined
}
