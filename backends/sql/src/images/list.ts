import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { ImageQuery, LocationStatus, SortKey } from 'mullion/images'
import type { Query } from '../database.ts'
import type { Engine } from '../engine.ts'
import { checkInteger, invalidArgument, isStorable } from '../values.ts'
import {
  checkFilters,
  type Condition,
  conditionsOf,
  every,
  isProperty,
  TEXT_FILTERS,
  type TextFilter,
} from './filters.ts'
import { type FilterColumn, filterIndex, orderColumns, PROPERTY_INDEX, SORT_COLUMNS } from './indexes.ts'
import { isAfter, namesOf, type Place, placeOf, type Start, steps } from './order.ts'
import { findRare, indexedImages, isSmall, type Rare, RARE } from './rare.ts'
import { isInPart, isInScope, isMember, ownerOf, type Part, partsOf } from './scope.ts'

/** A list with what has to be known before its statement can be written. */
export interface Listing {
  readonly request: ImageQuery
  readonly after: Place | undefined
  readonly rare: Rare | undefined
  /** The filter whose index has what it matches in the order of the list, and gives that until the page is full. */
  readonly ordered: Ordered | undefined
  /** Images that the rare filter leaves at most. */
  readonly most: number
}

type Ordered = Exclude<Rare, { readonly kind: 'part' }>

/**
 * Ids of the page, in order. Costs what its length costs, however many images there are: each part of the scope is read
 * from an index that has it in the order of the list, or else few images match a filter and those are sorted.
 */
export async function findIds(
  query: Query,
  engine: Engine,
  request: ImageQuery,
  most: number = RARE,
): Promise<readonly string[]> {
  checkInteger('limit', request.limit)
  checkFilters(request.filters)
  const after = request.marker === undefined ? undefined : await findPlace(query, request, request.marker)
  if (request.limit === 0) return []
  const rare = await findRare(query, engine, request, conditionsOf(request.filters), servedBy(request), most)
  const filter = rare ? undefined : orderedFilter(request)
  const ordered = filter && !(await isSmall(query, engine, request, most)) ? filter : undefined
  const { rows } = await idsQuery(engine, { request, after, rare, ordered, most }).execute(query)
  return rows.map(({ id }) => id)
}

/** Exported for the test of its plan. */
export function idsQuery(engine: Engine, listing: Listing): RawBuilder<{ readonly id: string }> {
  const { sortDirection, limit } = listing.request
  const direction = sql.raw(sortDirection)
  const pages = branches(engine, listing).map((branch) => sql`select id, created_at, sort_key from (${branch}) as page`)
  return sql`select found.id from (${sql.join(pages, sql` union `)}) as found
    order by found.sort_key ${direction}, found.created_at ${direction}, found.id ${direction} limit ${limit}`
}

async function findPlace(query: Query, { sortKey }: ImageQuery, marker: string): Promise<Place> {
  const row = isStorable(marker)
    ? await query.selectFrom('images').selectAll().where('id', '=', marker).executeTakeFirst()
    : undefined
  if (row) return placeOf(row, sortKey)
  throw invalidArgument('marker', `no image ${marker}`)
}

/** More than this in one statement take longer to plan than to run. */
const MAX_VALUES = 6

/** A filter by one text, or few of them, that an index has before the time of creation: so has each value its own order. */
function leadingFilter({ sortKey, filters }: ImageQuery): TextFilter | undefined {
  if (sortKey !== 'createdAt') return undefined
  return (Object.keys(TEXT_FILTERS) as TextFilter[]).find((name) => {
    const values = filters[name]
    return values && values.length > 0 && values.length <= MAX_VALUES
  })
}

function orderedFilter(request: ImageQuery): Ordered | undefined {
  if (request.sortKey !== 'createdAt' || leadingFilter(request)) return undefined
  const { properties, numbers } = conditionsOf(request.filters)
  const [property] = properties
  if (property) return { kind: 'property', property }
  const [column] = numbers.keys()
  return column && { kind: 'column', column }
}

/** Filters that the walk in the order of the list answers without reading what does not match. */
function servedBy(request: ImageQuery): ReadonlySet<SortKey> {
  const leading = leadingFilter(request)
  return new Set(leading ? [request.sortKey, leading] : [request.sortKey])
}

/** Statements that together give every image of the page, some of them more than once. */
function branches(engine: Engine, listing: Listing): readonly RawBuilder<unknown>[] {
  const { request, rare, ordered } = listing
  const { scope, includeDeleted, filters } = request
  if (filters.locationStatus !== undefined) return [located(engine, listing, filters.locationStatus)]
  if (rare?.kind === 'property') return [ofProperty(engine, listing, rare.property)]
  if (rare?.kind === 'column') {
    return [few(listing, engine.indexed('images', filterIndex(rare.column).name), isInScope(scope, includeDeleted))]
  }
  if (ordered?.kind === 'property') return propertyWalks(engine, listing, ordered.property)
  if (ordered) return columnWalks(engine, listing, ordered.column)
  const owner = ownerOf(scope)
  return [
    ...partsOf(scope, includeDeleted).flatMap((part) =>
      rare
        ? [few(listing, indexedImages(engine, part.division, rare.key), [isInPart(part)])]
        : walks(engine, listing, part),
    ),
    ...(owner === undefined ? [] : [shared(engine, listing, owner)]),
  ]
}

/** In the order of the list, from the place on, until the page is full. */
function walks(engine: Engine, listing: Listing, part: Part): readonly RawBuilder<unknown>[] {
  const { request } = listing
  const { sortKey, filters } = request
  const leading = leadingFilter(request)
  const values = leading ? [...new Set(filters[leading])].filter(isStorable) : []
  const ranges =
    leading && values.length > 0
      ? values.map((value) => sql<SqlBool>`${sql.ref(`images.${TEXT_FILTERS[leading]}`)} = ${value}`)
      : [undefined]
  const starts = startsOf(engine, listing, namesOf(orderColumns(sortKey)))
  const table = indexedImages(engine, part.division, leading ?? sortKey)
  return ranges.flatMap((range) =>
    starts.map(({ condition, columns }) => {
      const where = [isInPart(part), range, condition, ...every(conditionsOf(filters))]
      return page(request, table, where, isFixed(request) ? withoutKey(request, columns) : columns)
    }),
  )
}

/** Whether a filter leaves one value of what the list is sorted by. */
function isFixed({ sortKey, filters }: ImageQuery): boolean {
  return sortKey in TEXT_FILTERS && new Set(filters[sortKey as TextFilter]).size === 1
}

function withoutKey({ sortKey }: ImageQuery, columns: readonly string[]): readonly string[] {
  const left = columns.filter((column) => column !== `images.${SORT_COLUMNS[sortKey]}`)
  return left.length > 0 ? left : columns
}

/** Where walks begin: each condition is served by an index that has these columns in this order. */
function startsOf(
  { comparesRows }: Engine,
  { request: { sortDirection }, after }: Listing,
  columns: readonly string[],
): readonly Start[] {
  if (!after) return [{ condition: undefined, columns }]
  if (!comparesRows) return steps(columns, sortDirection, after)
  return [{ condition: isAfter(columns, sortDirection, after), columns }]
}

/** All images with a property in the order of their creation; those outside of the scope are passed by. */
function propertyWalks(
  engine: Engine,
  listing: Listing,
  property: readonly [string, string],
): readonly RawBuilder<unknown>[] {
  const { request } = listing
  const columns = ['image_properties.image_created_at', 'image_properties.image_id']
  const from = engine.leading(engine.indexed('image_properties', PROPERTY_INDEX))
  const joined = sql<SqlBool>`images.id = image_properties.image_id and ${isProperty(property)}`
  const filters = every(conditionsOf(request.filters), property)
  const where = [joined, ...isInScope(request.scope, request.includeDeleted), ...filters]
  return startsOf(engine, listing, columns).map((start) =>
    page(request, from, [...where, start.condition], start.columns),
  )
}

/** The same of images with one value in a column. */
function columnWalks(engine: Engine, listing: Listing, column: FilterColumn): readonly RawBuilder<unknown>[] {
  const { request } = listing
  const from = engine.indexed('images', filterIndex(column).name)
  const where = [...isInScope(request.scope, true), ...every(conditionsOf(request.filters))]
  const starts = startsOf(engine, listing, namesOf(orderColumns(request.sortKey)))
  return (request.includeDeleted ? [0, 1] : [0]).flatMap((hidden) =>
    starts.map(({ condition, columns }) =>
      page(request, from, [sql<SqlBool>`images.hidden = ${hidden}`, ...where, condition], columns),
    ),
  )
}

/** Those with a live location in this status. */
function located(engine: Engine, listing: Listing, status: LocationStatus): RawBuilder<unknown> {
  const ids = sql`(select distinct image_locations.image_id from image_locations
    where image_locations.status = ${status} and image_locations.deleted = 0) as located`
  const { scope, includeDeleted } = listing.request
  const joined = sql<SqlBool>`images.id = located.image_id`
  return sorted(listing, engine.leading(ids), [joined, ...isInScope(scope, includeDeleted)])
}

function ofProperty(engine: Engine, listing: Listing, property: readonly [string, string]): RawBuilder<unknown> {
  const { scope, includeDeleted } = listing.request
  const joined = sql<SqlBool>`images.id = image_properties.image_id and ${isProperty(property)}`
  return few(listing, engine.leading(sql`image_properties`), [joined, ...isInScope(scope, includeDeleted)], property)
}

function shared(engine: Engine, listing: Listing, owner: string): RawBuilder<unknown> {
  const joined = sql<SqlBool>`images.id = image_members.image_id and ${isMember(owner)}`
  const shown = listing.request.includeDeleted ? [] : [sql<SqlBool>`images.hidden = 0`]
  return sorted(listing, engine.leading(sql`image_members`), [joined, ...shown])
}

/** What a rare filter leaves. The limit changes nothing but that the planner reads it first. */
function few(
  listing: Listing,
  from: RawBuilder<unknown>,
  where: readonly Condition[],
  property?: readonly [string, string],
): RawBuilder<unknown> {
  const { request, after, most } = listing
  const { sortKey, sortDirection, limit, filters } = request
  const start = after && isAfter(namesOf(orderColumns(sortKey)), sortDirection, after)
  const rows = select(sortKey, from, [...where, start, ...every(conditionsOf(filters), property)])
  const direction = sql.raw(sortDirection)
  return sql`select * from (${rows} limit ${most + 1}) as few
    order by few.sort_key ${direction}, few.created_at ${direction}, few.id ${direction} limit ${limit}`
}

function sorted(listing: Listing, from: RawBuilder<unknown>, where: readonly Condition[]): RawBuilder<unknown> {
  const { request, after } = listing
  const start = after && isAfter(namesOf(orderColumns(request.sortKey)), request.sortDirection, after)
  return page(request, from, [...where, start, ...every(conditionsOf(request.filters))])
}

function page(
  { sortKey, sortDirection, limit }: ImageQuery,
  from: RawBuilder<unknown>,
  where: readonly (Condition | undefined)[],
  columns: readonly string[] = namesOf(orderColumns(sortKey)),
): RawBuilder<unknown> {
  const order = columns.map((column) => sql`${sql.ref(column)} ${sql.raw(sortDirection)}`)
  return sql`${select(sortKey, from, where)} order by ${sql.join(order)} limit ${limit}`
}

function select(
  sortKey: SortKey,
  from: RawBuilder<unknown>,
  where: readonly (Condition | undefined)[],
): RawBuilder<unknown> {
  const conditions = where.filter((condition) => condition !== undefined)
  return sql`select images.id as id, images.created_at as created_at, ${sql.ref(`images.${SORT_COLUMNS[sortKey]}`)} as sort_key
    from ${from} where ${sql.join(conditions, sql` and `)}`
}
