import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { ImageFilters } from 'mullion/images'
import { invalidArgument, isStorable, MAX_INTEGER, toFlag, toTime } from '../values.ts'
import { VALUE_START } from './indexes.ts'

export type Condition = RawBuilder<SqlBool>

const MAX_VALUES = 1000
const MAX_PROPERTIES = 100

/** The filters that compare one column with one of some texts. */
export const TEXT_FILTERS = {
  name: 'sort_name',
  status: 'status',
  diskFormat: 'sort_disk_format',
  containerFormat: 'sort_container_format',
} as const
export type TextFilter = keyof typeof TEXT_FILTERS

/** The filters as conditions on a row of `images`, under the names of what they filter by. */
export interface Conditions {
  readonly texts: ReadonlyMap<TextFilter, Condition>
  readonly size: Condition | undefined
  readonly changes: Condition | undefined
  readonly numbers: ReadonlyMap<'min_disk' | 'min_ram' | 'protected', Condition>
  readonly properties: readonly (readonly [name: string, value: string])[]
}

export function conditionsOf(filters: ImageFilters): Conditions {
  const texts = (Object.keys(TEXT_FILTERS) as TextFilter[]).flatMap((name) => {
    const values = filters[name]
    return values ? [[name, isOneOf(name, values)] as const] : []
  })
  const numbers = [
    ['min_disk', filters.minDisk],
    ['min_ram', filters.minRam],
    ['protected', filters.protected === undefined ? undefined : toFlag(filters.protected)],
  ] as const
  const { changesSince, properties } = filters
  return {
    texts: new Map(texts),
    size: sizes(filters),
    changes: changesSince && sql<SqlBool>`images.updated_at > ${toTime(changesSince)}`,
    numbers: new Map(
      numbers.flatMap(([column, value]) => (value === undefined ? [] : [[column, equals(column, value)] as const])),
    ),
    properties: [...(properties ?? [])],
  }
}

/** All of them, but for a property that a statement starts from: told twice, it misleads the planner. */
export function every(conditions: Conditions, start?: readonly [name: string, value: string]): readonly Condition[] {
  const { texts, size, changes, numbers, properties } = conditions
  const others = [size, changes].filter((condition) => condition !== undefined)
  const left = properties.filter(([name]) => name !== start?.[0])
  return [...texts.values(), ...others, ...numbers.values(), ...left.map(hasProperty)]
}

/** On a row of `image_properties`. */
export function isProperty([name, value]: readonly [string, string]): Condition {
  if (!isStorable(name) || !isStorable(value)) return NEVER
  const start = Array.from(value.slice(0, 2 * VALUE_START))
    .slice(0, VALUE_START)
    .join('')
  const isWhole = value.length < VALUE_START ? sql`` : sql` and image_properties.value = ${value}` // then the index says it all
  return sql<SqlBool>`image_properties.name = ${name} and image_properties.value_start = ${start}
    and image_properties.deleted = 0${isWhole}`
}

/** Databases limit the parameters and the depth of a statement. Throws `invalid_argument`. */
export function checkFilters(filters: ImageFilters): void {
  for (const name of Object.keys(TEXT_FILTERS) as TextFilter[]) {
    if ((filters[name]?.length ?? 0) > MAX_VALUES) throw invalidArgument(name, `expected at most ${MAX_VALUES} values`)
  }
  if ((filters.properties?.size ?? 0) > MAX_PROPERTIES) {
    throw invalidArgument('properties', `expected at most ${MAX_PROPERTIES} properties`)
  }
  if (filters.changesSince && Number.isNaN(filters.changesSince.getTime()))
    throw invalidArgument('changesSince', 'expected a date')
}

const NEVER: Condition = sql<SqlBool>`1 = 0`

const PLAIN = {
  name: 'name',
  status: 'status',
  diskFormat: 'disk_format',
  containerFormat: 'container_format',
} as const

function isOneOf(name: TextFilter, values: readonly string[]): Condition {
  const wanted = [...new Set(values)].filter(isStorable)
  if (wanted.length === 0) return NEVER
  const isIn = sql<SqlBool>`${sql.ref(`images.${TEXT_FILTERS[name]}`)} in (${sql.join(wanted)})`
  // An unset value sorts as '', but is found by no value.
  return wanted.includes('') ? sql<SqlBool>`${isIn} and ${sql.ref(`images.${PLAIN[name]}`)} is not null` : isIn
}

/** Images v1 has no unknown size. */
function sizes({ sizeMin, sizeMax }: ImageFilters): Condition | undefined {
  const bounds: Condition[] = []
  if (sizeMin !== undefined) bounds.push(sql<SqlBool>`images.sort_size >= ${bounded(Math.ceil(sizeMin))}`)
  if (sizeMax !== undefined) bounds.push(sql<SqlBool>`images.sort_size <= ${bounded(Math.floor(sizeMax))}`)
  return bounds.length === 0 ? undefined : sql<SqlBool>`${sql.join(bounds, sql` and `)}`
}

/** Within what a 64-bit column can be compared with; no size is beyond 2⁵³. */
function bounded(size: number): number {
  return Math.min(Math.max(size, -1), Number.MAX_SAFE_INTEGER + 1)
}

function equals(column: string, value: number): Condition {
  const fits = Number.isInteger(value) && Math.abs(value) <= MAX_INTEGER
  return fits ? sql<SqlBool>`${sql.ref(`images.${column}`)} = ${value}` : NEVER
}

function hasProperty(property: readonly [string, string]): Condition {
  return sql<SqlBool>`exists (select 1 from image_properties
    where image_properties.image_id = images.id and ${isProperty(property)})`
}
