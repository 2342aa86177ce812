import type { Image, ImageLocation, LocationStatus, Seal } from 'mullion/images'
import type { Query } from '../database.ts'
import type { LocationsTable } from '../schema.ts'
import type { Unreadable } from '../unreadable.ts'
import { chunks } from '../values.ts'
import { toImage } from './columns.ts'
import { hiddenLocation } from './hidden.ts'

/**
 * The images with their live properties, tags and locations, in the order of the ids. Unknown ids are left out. A location
 * that does not open throws what `Seal.open` does, or with `unreadable` is told to it, and the locations are hidden ones.
 */
export async function loadImages(
  query: Query,
  seal: Seal,
  ids: readonly string[],
  unreadable?: Unreadable,
): Promise<readonly Image[]> {
  const loaded = new Map<string, Image>()
  for (const part of chunks(ids, 500)) {
    for (const image of await loadPart(query, seal, part, unreadable)) loaded.set(image.id, image)
  }
  return ids.flatMap((id) => loaded.get(id) ?? [])
}

async function loadPart(
  query: Query,
  seal: Seal,
  ids: readonly string[],
  unreadable: Unreadable | undefined,
): Promise<readonly Image[]> {
  const rows = await query.selectFrom('images').selectAll().where('id', 'in', ids).execute()
  const parts = await loadParts(query, ids)
  return rows.map((row) =>
    toImage(row, {
      properties: new Map((parts.properties.get(row.id) ?? []).map(({ name, value }) => [name, value])),
      tags: (parts.tags.get(row.id) ?? []).map(({ value }) => value),
      locations: openLocations(seal, parts.locations.get(row.id) ?? [], unreadable),
    }),
  )
}

type Row = Pick<LocationsTable, 'image_id' | 'value' | 'meta_data' | 'status'>

/** All or none: what two locations have to do with each other nobody can tell while one of them is unknown. */
function openLocations(seal: Seal, rows: readonly Row[], unreadable: Unreadable | undefined): readonly ImageLocation[] {
  try {
    return rows.map((row) => openLocation(seal, row))
  } catch (error) {
    if (!unreadable) throw error
    unreadable.add(rows[0]?.image_id ?? '', error)
    return rows.map(({ status }, index) => hiddenLocation(status as LocationStatus, index))
  }
}

export function openLocation(seal: Seal, row: Row): ImageLocation {
  return {
    uri: seal.open(row.value, { imageId: row.image_id, purpose: 'location' }),
    metadata: JSON.parse(seal.open(row.meta_data, { imageId: row.image_id, purpose: 'location-metadata' })) as Record<
      string,
      string
    >,
    status: row.status as LocationStatus,
  }
}

async function loadParts(query: Query, ids: readonly string[]) {
  const properties = query
    .selectFrom('image_properties')
    .selectAll()
    .where('image_id', 'in', ids)
    .where('deleted', '=', 0)
  const tags = query.selectFrom('image_tags').selectAll().where('image_id', 'in', ids).where('deleted', '=', 0)
  const locations = query
    .selectFrom('image_locations')
    .selectAll()
    .where('image_id', 'in', ids)
    .where('deleted', '=', 0)
  return {
    properties: grouped(await properties.orderBy('id').execute()),
    tags: grouped(await tags.orderBy('id').execute()),
    locations: grouped(await locations.orderBy('position').execute()),
  }
}

function grouped<T extends { readonly image_id: string }>(rows: readonly T[]): ReadonlyMap<string, readonly T[]> {
  return Map.groupBy(rows, (row) => row.image_id)
}
