import { type RawBuilder, type Selectable, type SqlBool, sql } from 'kysely'
import type { ImageQuery, SortKey } from 'mullion/images'
import type { ImagesTable } from '../schema.ts'
import { orderColumns, type SortColumn } from './indexes.ts'

/** The values of one image in the columns of an order. */
export type Place = readonly (string | number)[]

type Direction = ImageQuery['sortDirection']

export function placeOf(row: Selectable<ImagesTable>, key: SortKey): Place {
  return orderColumns(key).map((column) => row[column])
}

/** The columns of an order as a statement names them. */
export function namesOf(columns: readonly SortColumn[]): readonly string[] {
  return columns.map((column) => `images.${column}`)
}

/** Whether a row comes strictly after the place, in one condition that an index serves where rows can be compared. */
export function isAfter(columns: readonly string[], direction: Direction, place: Place): RawBuilder<SqlBool> {
  const refs = sql.join(columns.map((column) => sql.ref(column)))
  return sql<SqlBool>`(${refs}) ${beyond(direction)} (${sql.join(place)})`
}

/** Where a walk begins, and what it is sorted by from there on. */
export interface Start {
  readonly condition: RawBuilder<SqlBool> | undefined
  readonly columns: readonly string[]
}

/**
 * The same as several conditions of which one holds: in the first all columns but the last are equal, in the last none
 * is. An index serves each of them in every database. MariaDB sorts by a column even where it has one value.
 */
export function steps(columns: readonly string[], direction: Direction, place: Place): readonly Start[] {
  return columns
    .map((column, index) => {
      const equal = columns.slice(0, index).map((other, at) => sql<SqlBool>`${sql.ref(other)} = ${place[at]}`)
      const further = sql<SqlBool>`${sql.ref(column)} ${beyond(direction)} ${place[index]}`
      return { condition: sql<SqlBool>`(${sql.join([...equal, further], sql` and `)})`, columns: columns.slice(index) }
    })
    .toReversed()
}

function beyond(direction: Direction): RawBuilder<unknown> {
  return sql.raw(direction === 'asc' ? '>' : '<')
}
