import type { Actor, ImageFilters, ImageQuery, ImageScope, SortKey } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { decodePercent } from '../plugins/octets.ts'
import type { V1Settings } from './context.ts'
import { isUuidLike, parseInteger, parseIsoTime } from './values.ts'

type Parameters = ReadonlyMap<string, string>

const SORT: ReadonlyMap<string, SortKey> = new Map([
  ['name', 'name'],
  ['status', 'status'],
  ['container_format', 'containerFormat'],
  ['disk_format', 'diskFormat'],
  ['size', 'size'],
  ['id', 'id'],
  ['created_at', 'createdAt'],
  ['updated_at', 'updatedAt'],
])
const BOOLEAN: ReadonlyMap<string, boolean | undefined> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
  ['none', undefined],
])

/** Reads a query string. Throws 400 for the first parameter that is wrong. Undefined: the list can only be empty. */
export function readListQuery(queryString: string, actor: Actor, settings: V1Settings): ImageQuery | undefined {
  const parameters = parseParameters(queryString)
  const numbers = {
    sizeMin: filterInteger(parameters, 'size_min'),
    sizeMax: filterInteger(parameters, 'size_max'),
    minRam: filterInteger(parameters, 'min_ram'),
  }
  const isPublic = filterBoolean(parameters, 'is_public')
  const isProtected = filterBoolean(parameters, 'protected')
  const changesSince = changesSinceOf(parameters)
  if (parameters.has('protected') && isProtected === undefined)
    throw new ApiError(400, 'protected must be True, or False')
  const minDisk = parameters.has('min_disk')
    ? (parseInteger(parameters.get('min_disk') ?? '') ?? Number.NaN)
    : undefined
  const limit = limitOf(parameters, settings)
  const { sortKey, sortDirection } = sortingOf(parameters)
  const marker = markerOf(parameters)
  if (minDisk !== undefined && !Number.isSafeInteger(minDisk)) return undefined
  const filters: ImageFilters = {
    ...textFilters(parameters),
    ...defined(numbers),
    ...(minDisk !== undefined && { minDisk }),
    ...(isProtected !== undefined && { protected: isProtected }),
    ...(changesSince && { changesSince }),
    ...propertyFilters(parameters),
  }
  return {
    scope: scopeOf(actor, parameters.has('is_public') ? isPublic : true),
    filters,
    includeDeleted: changesSince !== undefined,
    sortKey,
    sortDirection,
    limit,
    ...(marker !== undefined && { marker }),
  }
}

/** Of a parameter that is repeated the last one counts. Throws 400 for octets that are no UTF-8. */
function parseParameters(queryString: string): Parameters {
  const parameters = new Map<string, string>()
  for (const part of queryString.split(/[&;]/)) {
    if (part === '') continue
    const at = part.indexOf('=')
    const [name, value] = at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)]
    parameters.set(decodePercent(name.replaceAll('+', ' ')), decodePercent(value.replaceAll('+', ' ')))
  }
  return parameters
}

/** `in:a,b,"c,d"` is one of several, `eq:x` and anything else exactly one; an unknown operator is part of the value. */
function parseFilter(text: string): readonly string[] {
  if (text.startsWith('eq:')) return [text.slice(3)]
  if (!text.startsWith('in:')) return [text]
  const parts = text.slice(3).matchAll(/"([^"]*)"|([^,]+)/g)
  return Array.from(parts, ([, quoted, plain]) => quoted ?? plain ?? '')
}

function textFilters(parameters: Parameters): ImageFilters {
  const filter = (name: string): readonly string[] | undefined => {
    const text = parameters.get(name)
    return text === undefined ? undefined : parseFilter(text)
  }
  return defined({
    name: filter('name'),
    status: filter('status'),
    diskFormat: filter('disk_format'),
    containerFormat: filter('container_format'),
  })
}

function propertyFilters(parameters: Parameters): ImageFilters {
  const prefix = 'property-'
  const named = [...parameters].filter(([name]) => name.startsWith(prefix))
  return named.length === 0
    ? {}
    : { properties: new Map(named.map(([name, value]) => [name.slice(prefix.length), value])) }
}

function filterInteger(parameters: Parameters, name: string): number | undefined {
  const text = parameters.get(name)
  if (text === undefined) return undefined
  const value = parseInteger(text)
  if (value === undefined || value < 0 || !Number.isSafeInteger(value)) throw badFilter(name, text)
  return value
}

function filterBoolean(parameters: Parameters, name: string): boolean | undefined {
  const text = parameters.get(name)
  if (text === undefined) return undefined
  if (!BOOLEAN.has(text.toLowerCase())) throw badFilter(name, text)
  return BOOLEAN.get(text.toLowerCase())
}

function badFilter(name: string, text: string): ApiError {
  return new ApiError(400, `Bad value passed to filter ${name} got ${text}`)
}

function changesSinceOf(parameters: Parameters): Date | undefined {
  const text = parameters.get('changes-since')
  if (text === undefined) return undefined
  const time = parseIsoTime(text)
  if (!time) throw new ApiError(400, 'Unrecognized changes-since value')
  return time
}

function limitOf(parameters: Parameters, { limitParamDefault, apiLimitMax }: V1Settings): number {
  const text = parameters.get('limit')
  const limit = text === undefined ? limitParamDefault : parseInteger(text)
  if (limit === undefined) throw new ApiError(400, 'limit param must be an integer')
  if (limit < 0) throw new ApiError(400, 'limit param must be positive')
  return Math.min(limit, apiLimitMax)
}

function sortingOf(parameters: Parameters): Pick<ImageQuery, 'sortKey' | 'sortDirection'> {
  const sortKey = SORT.get(parameters.get('sort_key') ?? 'created_at')
  if (!sortKey) throw new ApiError(400, `Unsupported sort_key. Acceptable values: ${[...SORT.keys()].join(', ')}`)
  const sortDirection = parameters.get('sort_dir') ?? 'desc'
  if (sortDirection === 'asc' || sortDirection === 'desc') return { sortKey, sortDirection }
  throw new ApiError(400, 'Unsupported sort_dir. Acceptable values: asc, desc')
}

function markerOf(parameters: Parameters): string | undefined {
  const marker = parameters.get('marker')
  if (marker === '') throw unknownMarker()
  if (marker !== undefined && !isUuidLike(marker)) throw new ApiError(400, 'Invalid marker format')
  return marker
}

export function unknownMarker(): ApiError {
  return new ApiError(400, 'Invalid marker. Image could not be found.')
}

/** Only admins choose; by default they see what anybody with their owner sees. */
function scopeOf({ admin, owner }: Actor, isPublic: boolean | undefined): ImageScope {
  if (!admin || isPublic === true) return { kind: 'visible', owner }
  return isPublic === false ? { kind: 'not', visibility: 'public' } : { kind: 'all' }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>
}
