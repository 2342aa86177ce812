import type { Selectable } from 'kysely'
import type { ImageLocation, Seal } from 'mullion/images'
import type { Query } from '../database.ts'
import type { LocationsTable, TimeText } from '../schema.ts'
import { checkText } from '../values.ts'
import { born } from './children.ts'
import { refuseHidden } from './hidden.ts'
import { openLocation } from './load.ts'

type Row = Selectable<LocationsTable>

/**
 * Makes the locations of the image exactly these, in this order. A row with the same URI and status is kept, and sealed
 * anew if it was not under the first key; the others are soft-deleted.
 */
export async function writeLocations(
  query: Query,
  seal: Seal,
  imageId: string,
  locations: readonly ImageLocation[],
  now: TimeText,
): Promise<void> {
  for (const { uri } of locations) checkText('locations', uri)
  refuseHidden(locations)
  const rows = await query
    .selectFrom('image_locations')
    .selectAll()
    .where('image_id', '=', imageId)
    .where('deleted', '=', 0)
    .orderBy('position')
    .execute()
  const left = rows.map((row) => ({ row, was: openLocation(seal, row) }))
  for (const [position, location] of locations.entries()) {
    const match = left.findIndex(({ was }) => was.uri === location.uri && was.status === location.status)
    const [kept] = match === -1 ? [] : left.splice(match, 1)
    if (!kept) await insert(query, seal, imageId, position, location, now)
    else if (differs(seal, kept.row, kept.was, position, location))
      await change(query, seal, kept.row, position, location, now)
  }
  for (const { row } of left) await bury(query, row, now)
}

function differs(seal: Seal, row: Row, was: ImageLocation, position: number, location: ImageLocation): boolean {
  if (row.position !== position || !seal.isCurrent(row.value) || !seal.isCurrent(row.meta_data)) return true
  return JSON.stringify(was.metadata) !== JSON.stringify(location.metadata)
}

async function insert(
  query: Query,
  seal: Seal,
  imageId: string,
  position: number,
  location: ImageLocation,
  now: TimeText,
): Promise<void> {
  const { status } = location
  const values = { ...born(imageId, now), ...sealed(seal, imageId, location), status, position }
  await query.insertInto('image_locations').values(values).execute()
}

async function change(
  query: Query,
  seal: Seal,
  row: Row,
  position: number,
  location: ImageLocation,
  now: TimeText,
): Promise<void> {
  const changes = { ...sealed(seal, row.image_id, location), position, updated_at: now }
  await query.updateTable('image_locations').set(changes).where('id', '=', row.id).execute()
}

async function bury(query: Query, row: Row, now: TimeText): Promise<void> {
  const status = row.status === 'pending_delete' ? row.status : 'deleted'
  const changes = { status, deleted: 1, deleted_at: now, updated_at: now }
  await query.updateTable('image_locations').set(changes).where('id', '=', row.id).execute()
}

function sealed(
  seal: Seal,
  imageId: string,
  { uri, metadata }: ImageLocation,
): Pick<LocationsTable, 'value' | 'meta_data'> {
  return {
    value: seal.close(uri, { imageId, purpose: 'location' }),
    meta_data: seal.close(JSON.stringify(metadata), { imageId, purpose: 'location-metadata' }),
  }
}
