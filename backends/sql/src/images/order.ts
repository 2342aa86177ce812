import type { ExpressionBuilder, ExpressionWrapper, Selectable, SqlBool } from 'kysely'
import type { ImageQuery, SortKey } from 'mullion/images'
import type { ImagesTable, Tables } from '../schema.ts'

type Images = ExpressionBuilder<Tables, 'images'>
type Value = string | number
type Operand = ExpressionWrapper<Tables, 'images', Value | null>

/** The values of one image in the order of `terms`. */
export type Place = readonly Value[]

/** A column to order by. `empty` stands for null where there may be one. */
export interface Term {
  readonly column: 'name' | 'status' | 'container_format' | 'disk_format' | 'size' | 'id' | 'created_at' | 'updated_at'
  readonly empty?: Value
}

const KEYS: { readonly [K in SortKey]: Term } = {
  name: { column: 'name', empty: '' },
  status: { column: 'status' },
  containerFormat: { column: 'container_format', empty: '' },
  diskFormat: { column: 'disk_format', empty: '' },
  size: { column: 'size', empty: 0 },
  id: { column: 'id' },
  createdAt: { column: 'created_at' },
  updatedAt: { column: 'updated_at' },
}

/** The key, then what breaks ties. A term that others could not break is left out, for the sake of indexes. */
export function terms(key: SortKey): readonly Term[] {
  if (key === 'id') return [KEYS.id]
  return key === 'createdAt' ? [KEYS.createdAt, KEYS.id] : [KEYS[key], KEYS.createdAt, KEYS.id]
}

export function placeOf(row: Selectable<ImagesTable>, key: SortKey): Place {
  return terms(key).map(({ column, empty = '' }) => row[column] ?? empty)
}

export function operand(eb: Images, { column, empty }: Term): Operand {
  const value = eb.ref(`images.${column}`) as Operand
  return empty === undefined ? value : eb.fn.coalesce(value, eb.val(empty))
}

/**
 * Whether a row comes strictly after the place. `a <= x and (a < x or (…))` says the same as `a < x or (a = x and …)`,
 * but its first half is a range that an index can start from.
 */
export function isAfter(
  eb: Images,
  key: SortKey,
  direction: ImageQuery['sortDirection'],
  place: Place,
): ExpressionWrapper<Tables, 'images', SqlBool> {
  const beyond = direction === 'asc' ? '>' : '<'
  const compare = (parts: readonly (readonly [Term, Value])[]): ExpressionWrapper<Tables, 'images', SqlBool> => {
    const [[term, value], ...ties] = parts as readonly [readonly [Term, Value], ...(readonly [Term, Value])[]]
    const strictly = eb(operand(eb, term), beyond, value)
    if (ties.length === 0) return strictly
    return eb.and([eb(operand(eb, term), `${beyond}=`, value), eb.or([strictly, compare(ties)])])
  }
  return compare(terms(key).map((term, index) => [term, place[index] as Value]))
}
