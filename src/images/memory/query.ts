import type { Image } from '../image.ts'
import type { ImageQuery } from '../ports.ts'

type Test = (image: Image) => boolean

/** What a query lets through: the scope says whose images, the filters choose among them. */
export function matcher(
  { scope, filters, includeDeleted }: ImageQuery,
  shared: (imageId: string, owner: string) => boolean,
): { readonly inScope: Test; readonly matches: Test } {
  return {
    inScope(image) {
      if (scope.kind === 'all') return true
      if (scope.kind === 'not') return image.visibility !== scope.visibility
      if (image.visibility === 'public') return true
      const { owner } = scope
      return owner !== undefined && (image.owner === owner || shared(image.id, owner))
    },
    matches(image) {
      const { sizeMin, sizeMax, changesSince, locationStatus, properties } = filters
      const size = image.size ?? 0
      return (
        (includeDeleted || !['deleted', 'pending_delete', 'killed'].includes(image.status)) &&
        (['name', 'status', 'diskFormat', 'containerFormat'] as const).every((key) =>
          oneOf(filters[key], image[key]),
        ) &&
        (['minDisk', 'minRam', 'protected'] as const).every(
          (key) => filters[key] === undefined || filters[key] === image[key],
        ) &&
        (sizeMin === undefined || size >= sizeMin) &&
        (sizeMax === undefined || size <= sizeMax) &&
        (changesSince === undefined || image.updatedAt > changesSince) &&
        (locationStatus === undefined || image.locations.some(({ status }) => status === locationStatus)) &&
        [...(properties ?? [])].every(([name, value]) => image.properties.get(name) === value)
      )
    },
  }
}

function oneOf(wanted: readonly string[] | undefined, value: string | undefined): boolean {
  return wanted === undefined || (value !== undefined && wanted.includes(value))
}

/** The order of a query: the key, then createdAt, then id, in one direction; an unset value is '' or 0. */
export function comparator({ sortKey, sortDirection }: ImageQuery): (a: Image, b: Image) => number {
  const sign = sortDirection === 'asc' ? 1 : -1
  const keys = [sortKey, 'createdAt', 'id'] as const
  return (a, b) => {
    for (const key of keys) {
      const order = compare(a[key] ?? (key === 'size' ? 0 : ''), b[key] ?? (key === 'size' ? 0 : ''))
      if (order !== 0) return sign * order
    }
    return 0
  }
}

/** Text by code point, as databases compare it: JavaScript compares halves of surrogate pairs. */
function compare(a: string | number | Date, b: string | number | Date): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  if (a < b) return -1
  return a > b ? 1 : 0
}
