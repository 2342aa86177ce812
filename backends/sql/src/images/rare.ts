import { type RawBuilder, type SqlBool, sql } from 'kysely'
import type { ImageQuery, SortKey } from 'mullion/images'
import type { Query } from '../database.ts'
import type { Engine } from '../engine.ts'
import { type Condition, type Conditions, isProperty, type TextFilter } from './filters.ts'
import { type Division, type FilterColumn, filterIndex, sortIndex } from './indexes.ts'
import { isInPart, partsOf } from './scope.ts'

/**
 * A filter that matches no more images than this is asked first, and what it gives is sorted. With one that matches
 * more, a page is full after a walk over (all images / this) times its length.
 */
export const RARE = 2000

/** Where the few images are that one filter leaves. */
export type Rare =
  | { readonly kind: 'property'; readonly property: readonly [name: string, value: string] }
  /** By this index of each part of the scope. */
  | { readonly kind: 'part'; readonly key: SortKey }
  | { readonly kind: 'column'; readonly column: FilterColumn }

/** The first filter that leaves at most so many images; undefined when none does. The order's index answers `served`. */
export async function findRare(
  query: Query,
  engine: Engine,
  request: ImageQuery,
  conditions: Conditions,
  served: ReadonlySet<SortKey>,
  most: number,
): Promise<Rare | undefined> {
  for (const [rare, rows] of candidates(engine, request, conditions, served, most + 1)) {
    if ((await count(query, rows)) <= most) return rare
  }
  return undefined
}

/** Whether the scope has no more than so many images. */
export async function isSmall(query: Query, engine: Engine, request: ImageQuery, most: number): Promise<boolean> {
  if (request.scope.kind !== 'visible') return false
  return (await count(query, partRows(engine, request, 'createdAt', sql<SqlBool>`1 = 1`, most + 1))) <= most
}

async function count(query: Query, rows: RawBuilder<unknown>): Promise<number> {
  const counted = await sql<{ readonly found: number }>`select count(*) as found from (${rows}) as matches`.execute(
    query,
  )
  return counted.rows[0]?.found ?? 0
}

function candidates(
  engine: Engine,
  request: ImageQuery,
  { properties, texts, size, changes, numbers }: Conditions,
  served: ReadonlySet<SortKey>,
  limit: number,
): readonly (readonly [Rare, RawBuilder<unknown>])[] {
  const byKey = [...texts, ['size', size], ['updatedAt', changes]] as readonly (readonly [
    TextFilter | 'size' | 'updatedAt',
    Condition | undefined,
  ])[]
  return [
    ...properties.map((property) => [{ kind: 'property', property }, propertyRows(property, limit)] as const),
    ...byKey.flatMap(([key, condition]) =>
      condition && !served.has(key)
        ? [[{ kind: 'part', key }, partRows(engine, request, key, condition, limit)] as const]
        : [],
    ),
    ...[...numbers].map(([column, condition]) => {
      const { name } = filterIndex(column)
      return [{ kind: 'column', column }, imageRows(engine, name, condition, limit)] as const
    }),
  ]
}

function propertyRows(property: readonly [string, string], limit: number): RawBuilder<unknown> {
  return sql`select 1 as one from image_properties where ${isProperty(property)} limit ${limit}`
}

function partRows(
  engine: Engine,
  { scope, includeDeleted }: ImageQuery,
  key: SortKey,
  condition: Condition,
  limit: number,
): RawBuilder<unknown> {
  const rows = partsOf(scope, includeDeleted).map((part) => {
    const table = indexedImages(engine, part.division, key)
    const page = sql`select 1 as one from ${table} where ${isInPart(part)} and ${condition} limit ${limit}`
    return sql`select one from (${page}) as part`
  })
  return sql`${sql.join(rows, sql` union all `)}`
}

function imageRows(engine: Engine, index: string, condition: Condition, limit: number): RawBuilder<unknown> {
  return sql`select 1 as one from ${engine.indexed('images', index)} where ${condition} limit ${limit}`
}

export function indexedImages(engine: Engine, division: Division, key: SortKey): RawBuilder<unknown> {
  return engine.indexed('images', sortIndex(division, key).name)
}
