import type { Image, ImageLocation, LocationStatus, Seal } from 'mullion/images'
import type { Query } from '../database.ts'
import type { LocationsTable } from '../schema.ts'
import { chunks } from '../values.ts'
import { toImage } from './columns.ts'

/** The images with their live properties, tags and locations, in the order of the ids. Unknown ids are left out. */
export async function loadImages(query: Query, seal: Seal, ids: readonly string[]): Promise<readonly Image[]> {
  const loaded = new Map<string, Image>()
  for (const part of chunks(ids, 500)) {
    for (const image of await loadPart(query, seal, part)) loaded.set(image.id, image)
  }
  return ids.flatMap((id) => loaded.get(id) ?? [])
}

async function loadPart(query: Query, seal: Seal, ids: readonly string[]): Promise<readonly Image[]> {
  const rows = await query.selectFrom('images').selectAll().where('id', 'in', ids).execute()
  const parts = await loadParts(query, ids)
  return rows.map((row) =>
    toImage(row, {
      properties: new Map((parts.properties.get(row.id) ?? []).map(({ name, value }) => [name, value])),
      tags: (parts.tags.get(row.id) ?? []).map(({ value }) => value),
      locations: (parts.locations.get(row.id) ?? []).map((location) => openLocation(seal, location)),
    }),
  )
}

export function openLocation(
  seal: Seal,
  row: Pick<LocationsTable, 'image_id' | 'value' | 'meta_data' | 'status'>,
): ImageLocation {
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
