import { type ExpressionBuilder, type ExpressionWrapper, type SelectQueryBuilder, type SqlBool } from 'kysely'
import type { ImageFilters, ImageQuery, ImageScope, LocationStatus } from 'mullion/images'
import type { Query } from '../database.ts'
import type { Tables } from '../schema.ts'
import { checkInteger, invalidArgument, toFlag, toTime } from '../values.ts'
import { isAfter, operand, type Place, placeOf, type Term, terms } from './order.ts'

type Images = SelectQueryBuilder<Tables, 'images', unknown>
/** A query for ids. */
type Ids = SelectQueryBuilder<never, never, { readonly id: string }>
type Condition = ExpressionWrapper<Tables, 'images', SqlBool>

const MAX_VALUES = 1000
const MAX_PROPERTIES = 100

/**
 * Ids of the page, in order. Each group of a scope is asked for its own first `limit` images, which an index gives
 * without reading more, and the groups are merged: an OR over them would walk over the images of everybody else.
 */
export async function findIds(query: Query, request: ImageQuery): Promise<readonly string[]> {
  checkInteger('limit', request.limit)
  checkFilters(request.filters)
  const after = request.marker === undefined ? undefined : await findPlace(query, request, request.marker)
  if (request.limit === 0) return []
  return (await idsQuery(query, request, after).execute()).map(({ id }) => id)
}

/** Exported for the test of its plan. */
export function idsQuery(query: Query, request: ImageQuery, after: Place | undefined): Ids {
  const { sortDirection: direction } = request
  // Hidden rows are a group of their own: so the same indexes serve a list with them as one without.
  const hidden = request.includeDeleted ? [0, 1] : [0]
  const pages = hidden.flatMap((flag) =>
    groups(query, request.scope, request.filters.locationStatus).map((group) =>
      pageOf(query, group.where('images.hidden', '=', flag), request, after),
    ),
  )
  const merged = pages.reduce((all, page) => all.union(page))
  return query
    .selectFrom(merged.as('found'))
    .select('found.id')
    .orderBy('found.sort_key', direction)
    .orderBy('found.created_at', direction)
    .orderBy('found.id', direction)
    .limit(request.limit)
}

/** Wrapped in a select of its own, because a union takes no ordered parts. */
function pageOf(query: Query, group: Images, request: ImageQuery, after: Place | undefined) {
  const { sortKey, sortDirection: direction, limit, filters } = request
  const order = terms(sortKey)
  let page = group
    .where((eb) => eb.and(conditions(eb, filters)))
    .$if(after !== undefined, (rows) => rows.where((eb) => isAfter(eb, sortKey, direction, after as Place)))
    .select((eb) => [
      'images.id as id',
      'images.created_at as created_at',
      operand(eb, order[0] as Term).as('sort_key'),
    ])
    .limit(limit)
  for (const term of order) page = page.orderBy((eb) => operand(eb, term), direction)
  return query.selectFrom(page.as('page')).select(['page.id', 'page.created_at', 'page.sort_key'])
}

/**
 * Queries that together give every image of the scope, some of them more than once. CROSS JOIN means what it does in
 * every database, and SQLite reads its left side first: a few rows lead to their images, where it would rather ask all
 * images for such a row.
 */
function groups(query: Query, scope: ImageScope, status?: LocationStatus): readonly Images[] {
  const images = status === undefined ? query.selectFrom('images') : located(query, status)
  if (scope.kind === 'all') return [images]
  if (scope.kind === 'not') return [images.where('images.visibility', '<>', scope.visibility)]
  const open = images.where('images.visibility', '=', 'public')
  const { owner } = scope
  if (owner === undefined) return [open]
  const joined =
    status === undefined ? query.selectFrom('image_members').crossJoin('images') : images.crossJoin('image_members')
  const shared = joined
    .whereRef('images.id', '=', 'image_members.image_id')
    .where('image_members.member', '=', owner)
    .where('image_members.deleted', '=', 0)
  return [open, images.where('images.owner', '=', owner), shared]
}

/** Images with a live location in this status. */
function located(query: Query, status: LocationStatus): Images {
  const ids = query
    .selectFrom('image_locations')
    .select('image_locations.image_id')
    .distinct()
    .where('image_locations.status', '=', status)
    .where('image_locations.deleted', '=', 0)
  return query.selectFrom(ids.as('located')).crossJoin('images').whereRef('images.id', '=', 'located.image_id')
}

async function findPlace(query: Query, { sortKey }: ImageQuery, marker: string): Promise<Place> {
  const row = await query.selectFrom('images').selectAll().where('id', '=', marker).executeTakeFirst()
  if (row) return placeOf(row, sortKey)
  throw invalidArgument('marker', `no image ${marker}`)
}

function conditions(eb: ExpressionBuilder<Tables, 'images'>, filters: ImageFilters): Condition[] {
  const found: Condition[] = []
  const texts = [
    ['images.name', filters.name],
    ['images.status', filters.status],
    ['images.disk_format', filters.diskFormat],
    ['images.container_format', filters.containerFormat],
  ] as const
  for (const [column, values] of texts) {
    if (values) found.push(values.length === 0 ? eb.lit(false) : eb(column, 'in', [...new Set(values)]))
  }
  const size = eb.fn.coalesce('images.size', eb.val(0)) // Images v1 has no unknown size
  if (filters.sizeMin !== undefined) found.push(eb(size, '>=', filters.sizeMin))
  if (filters.sizeMax !== undefined) found.push(eb(size, '<=', filters.sizeMax))
  if (filters.minDisk !== undefined) found.push(eb('images.min_disk', '=', filters.minDisk))
  if (filters.minRam !== undefined) found.push(eb('images.min_ram', '=', filters.minRam))
  if (filters.protected !== undefined) found.push(eb('images.protected', '=', toFlag(filters.protected)))
  if (filters.changesSince) found.push(eb('images.updated_at', '>', toTime(filters.changesSince)))
  for (const [name, value] of filters.properties ?? []) found.push(hasProperty(eb, name, value))
  return found
}

function hasProperty(eb: ExpressionBuilder<Tables, 'images'>, name: string, value: string): Condition {
  return eb.exists(
    eb
      .selectFrom('image_properties')
      .select('image_properties.id')
      .whereRef('image_properties.image_id', '=', 'images.id')
      .where('image_properties.name', '=', name)
      .where('image_properties.value', '=', value)
      .where('image_properties.deleted', '=', 0),
  )
}

/** Databases limit the parameters and the depth of a statement. */
function checkFilters(filters: ImageFilters): void {
  for (const name of ['name', 'status', 'diskFormat', 'containerFormat'] as const) {
    if ((filters[name]?.length ?? 0) > MAX_VALUES) throw invalidArgument(name, `expected at most ${MAX_VALUES} values`)
  }
  if ((filters.properties?.size ?? 0) > MAX_PROPERTIES) {
    throw invalidArgument('properties', `expected at most ${MAX_PROPERTIES} properties`)
  }
  if (filters.changesSince && Number.isNaN(filters.changesSince.getTime()))
    throw invalidArgument('changesSince', 'expected a date')
}
