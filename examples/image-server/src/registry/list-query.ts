import type { ImageFilters, ImageQuery, ImageScope, LocationStatus, SortKey, Visibility } from 'mullion/images'
import { isUuidLike, parseInteger, parseIsoTime } from '../v1/values.ts'
import type { Caller, RegistrySettings } from './context.ts'
import { invalid } from './errors.ts'
import { readFilter } from './list-filter.ts'

type Parameters = URLSearchParams

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
const TEXTS = { name: 'name', status: 'status', disk_format: 'diskFormat', container_format: 'containerFormat' }
const NUMBERS = { size_min: 'sizeMin', size_max: 'sizeMax', min_disk: 'minDisk', min_ram: 'minRam' }
const DELETED = ['deleted', 'pending_delete']

/** Reads a query string; unknown parameters are ignored. Throws 400 for the first parameter that is wrong. */
export function readListQuery(parameters: Parameters, caller: Caller, settings: RegistrySettings): ImageQuery {
  const { scope, includeDeleted, filters } = caller.extended
    ? readExtended(parameters)
    : readGlance(parameters, caller, readFilters(parameters, readFilter))
  const marker = readMarker(parameters, caller)
  return {
    scope,
    includeDeleted,
    filters,
    ...readSorting(parameters),
    limit: readLimit(parameters, caller, settings),
    ...(marker !== undefined && { marker }),
  }
}

type Selection = Pick<ImageQuery, 'scope' | 'includeDeleted' | 'filters'>

function readExtended(parameters: Parameters): Selection {
  const locationStatus = parameters.get('location_status')
  return {
    scope: readScope(parameters),
    includeDeleted: parameters.get('include_deleted') === 'true',
    filters: {
      ...readFilters(parameters, (_name, values) => values),
      ...(locationStatus !== null && { locationStatus: locationStatus as LocationStatus }),
    },
  }
}

function readScope(parameters: Parameters): ImageScope {
  const kind = parameters.get('scope') ?? 'all'
  if (kind === 'all') return { kind }
  if (kind === 'visible') return { kind, owner: parameters.get('owner') ?? undefined }
  if (kind === 'not') return { kind, visibility: (parameters.get('visibility') ?? '') as Visibility }
  throw invalid('scope', 'scope must be all, visible, or not')
}

/** `deleted` and `is_public` are for administrators; what others say is ignored. */
function readGlance(parameters: Parameters, { actor }: Caller, filters: ImageFilters): Selection {
  const isPublic = actor.admin ? readTernary(parameters, 'is_public') : true
  const deleted = actor.admin ? parameters.get('deleted') : null
  const isDeleted = deleted === null ? undefined : readBoolean('deleted', deleted, 'deleted must be True, or False')
  const { status } = filters
  return {
    scope: scopeOf(actor, isPublic),
    includeDeleted: isDeleted ?? filters.changesSince !== undefined,
    filters: isDeleted ? { ...filters, status: status?.filter((one) => DELETED.includes(one)) ?? DELETED } : filters,
  }
}

/** An administrator who asks for public images wants to see what anybody with the same owner sees. */
function scopeOf({ admin, owner }: Caller['actor'], isPublic: boolean | undefined): ImageScope {
  if (!admin || isPublic === true) return { kind: 'visible', owner }
  return isPublic === false ? { kind: 'not', visibility: 'public' } : { kind: 'all' }
}

/** Undefined for `none`; true when it is absent. */
function readTernary(parameters: Parameters, name: string): boolean | undefined {
  const text = parameters.get(name)
  if (text === null) return true
  return text.toLowerCase() === 'none' ? undefined : readBoolean(name, text, `${name} must be None, True, or False`)
}

function readBoolean(name: string, text: string, problem: string): boolean {
  if (/^(?:true|1)$/i.test(text)) return true
  if (/^(?:false|0)$/i.test(text)) return false
  throw invalid(name, problem)
}

/** Services list the values they want as they are, one parameter each; the words of Glance stand in one. */
type ReadTexts = (name: string, values: readonly string[]) => readonly string[]

function readFilters(parameters: Parameters, readTexts: ReadTexts): ImageFilters {
  const given = [...parameters.keys()]
  const texts = Object.entries(TEXTS).filter(([name]) => given.includes(name))
  const numbers = Object.entries(NUMBERS).filter(([name]) => given.includes(name))
  const isProtected = parameters.get('protected')
  const changesSince = readChangesSince(parameters)
  const properties = [...parameters].filter(([name]) => name.startsWith('property-'))
  return {
    ...Object.fromEntries(texts.map(([name, key]) => [key, readTexts(name, parameters.getAll(name))])),
    ...Object.fromEntries(numbers.map(([name, key]) => [key, readNumber(name, parameters.get(name) ?? '')])),
    ...(isProtected !== null && {
      protected: readBoolean('protected', isProtected, 'protected must be True, or False'),
    }),
    ...(changesSince && { changesSince }),
    ...(properties.length > 0 && {
      properties: new Map(properties.map(([name, value]) => [name.slice('property-'.length), value])),
    }),
  }
}

function readNumber(name: string, text: string): number {
  const value = parseInteger(text)
  if (value === undefined) throw invalid(name, `Bad value passed to filter ${name} got ${text}`)
  return value
}

function readChangesSince(parameters: Parameters): Date | undefined {
  const text = parameters.get('changes-since')
  if (text === null) return undefined
  const time = parseIsoTime(text)
  if (!time) throw invalid('changes-since', 'Unrecognized changes-since value')
  return time
}

/** Services ask for as many as they need. */
function readLimit(parameters: Parameters, { extended }: Caller, settings: RegistrySettings): number {
  const text = parameters.get('limit')
  const limit = text === null ? settings.limitParamDefault : parseInteger(text)
  if (limit === undefined) throw invalid('limit', 'limit param must be an integer')
  if (limit < 0) throw invalid('limit', 'limit param must be positive')
  return extended ? limit : Math.min(limit, settings.apiLimitMax)
}

function readSorting(parameters: Parameters): Pick<ImageQuery, 'sortKey' | 'sortDirection'> {
  const sortKey = SORT.get(parameters.get('sort_key') ?? 'created_at')
  if (!sortKey) {
    throw invalid('sort_key', `Unsupported sort_key. Acceptable values: ${[...SORT.keys()].join(', ')}`)
  }
  const sortDirection = parameters.get('sort_dir') ?? 'desc'
  if (sortDirection === 'asc' || sortDirection === 'desc') return { sortKey, sortDirection }
  throw invalid('sort_dir', 'Unsupported sort_dir. Acceptable values: asc, desc')
}

function readMarker(parameters: Parameters, { extended }: Caller): string | undefined {
  const marker = parameters.get('marker')
  if (marker === null) return undefined
  if (!extended && !isUuidLike(marker)) throw invalid('marker', 'Invalid marker format')
  return marker
}
