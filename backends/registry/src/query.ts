import type { ImageFilters, ImageQuery, ImageScope, SortKey } from 'mullion/images'
import { failure } from './errors.ts'

const SORT_NAMES: Readonly<Record<SortKey, string>> = {
  name: 'name',
  status: 'status',
  containerFormat: 'container_format',
  diskFormat: 'disk_format',
  size: 'size',
  id: 'id',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
}

/** The path of a list; undefined when nothing can match. Throws `invalid_argument` for a marker that is no id. */
export function listPath(query: ImageQuery): string | undefined {
  const { filters, includeDeleted, sortKey, sortDirection, limit, marker } = query
  if (marker !== undefined && !marker.isWellFormed()) {
    throw failure('invalid_argument', 'marker: no such image', { name: 'marker' })
  }
  if (textParameters(filters).some(([, values]) => values && !values.some(isStorable))) return undefined
  if ([...(filters.properties ?? [])].flat().some((text) => !isStorable(text))) return undefined
  const parameters = new URLSearchParams({
    ...scopeParameters(query.scope),
    ...filterParameters(filters),
    include_deleted: String(includeDeleted),
    sort_key: SORT_NAMES[sortKey],
    sort_dir: sortDirection,
    limit: String(limit),
    ...(marker !== undefined && { marker }),
  })
  for (const [name, values] of textParameters(filters)) {
    for (const value of values?.filter(isStorable) ?? []) parameters.append(name, value)
  }
  for (const [name, value] of filters.properties ?? []) parameters.append(`property-${name}`, value)
  return `/images/detail?${parameters.toString()}`
}

/** Text that is no Unicode would become other text on the way. Nothing that is stored has it. */
function isStorable(text: string): boolean {
  return text.isWellFormed()
}

function scopeParameters(scope: ImageScope): Record<string, string> {
  if (scope.kind === 'all') return { scope: 'all' }
  if (scope.kind === 'not') return { scope: 'not', visibility: scope.visibility }
  return { scope: 'visible', ...(scope.owner?.isWellFormed() && { owner: scope.owner }) }
}

function textParameters(
  filters: ImageFilters,
): readonly (readonly [name: string, values?: readonly string[] | undefined])[] {
  return [
    ['name', filters.name],
    ['status', filters.status],
    ['disk_format', filters.diskFormat],
    ['container_format', filters.containerFormat],
  ]
}

function filterParameters(filters: ImageFilters): Record<string, string> {
  const values = {
    size_min: filters.sizeMin,
    size_max: filters.sizeMax,
    min_disk: filters.minDisk,
    min_ram: filters.minRam,
    protected: filters.protected,
    'changes-since': filters.changesSince?.toISOString(),
    location_status: filters.locationStatus,
  }
  const given = Object.entries(values).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    given.map(([name, value]) => [name, typeof value === 'number' ? digitsOf(value) : String(value)]),
  )
}

/** Without an exponent, however large. */
function digitsOf(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : String(value)
}
