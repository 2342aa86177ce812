import { type Insertable, sql } from 'kysely'
import { MullionError } from 'mullion'
import {
  type Expectation,
  type Image,
  type ImagePatch,
  type ImageRegistry,
  idKey,
  type Log,
  type Seal,
} from 'mullion/images'
import type { Database, Query } from '../database.ts'
import type { ImagesTable, TimeText } from '../schema.ts'
import { rememberUnreadable } from '../unreadable.ts'
import { checkText, isStorable, toTime } from '../values.ts'
import { buryChildren, writeProperties, writeTags } from './children.ts'
import { toColumns } from './columns.ts'
import { findIds } from './list.ts'
import { loadImages } from './load.ts'
import { imageNotFound } from './lock.ts'
import { writeLocations } from './locations.ts'
import { usage } from './usage.ts'

/** `log` hears of each image in a list whose locations cannot be read. */
export function imageRegistry(database: Database, seal: Seal, now: () => Date, log?: Log): ImageRegistry {
  const unreadable = rememberUnreadable('location of an image', log)
  return {
    insert: (image) => database.write('insert image', (query) => insert(query, seal, image, database.isTaken)),
    get: (id) => database.read('get image', (query) => loadImage(query, seal, id)),
    update: (id, patch, expect) =>
      database.write('update image', (query) => update(query, seal, id, patch, expect, toTime(now()))),
    list: (query) =>
      database.read('list images', async (snapshot) => {
        return loadImages(snapshot, seal, await findIds(snapshot, database.engine, query), unreadable)
      }),
    usage: (owner, { except } = {}) => database.read('sum up usage', (query) => usage(query, owner, except)),
  }
}

async function insert(query: Query, seal: Seal, image: Image, isTaken: Database['isTaken']): Promise<Image> {
  const id = checkText('id', image.id, 36)
  const columns = {
    ...(toColumns(image) as Omit<Insertable<ImagesTable>, 'id' | 'id_key' | 'created_at' | 'updated_at'>),
    id,
    id_key: idKey(id),
    created_at: toTime(image.createdAt),
    updated_at: toTime(image.updatedAt),
  }
  try {
    await query.insertInto('images').values(columns).execute()
  } catch (error) {
    throw isTaken(error) ? idTaken(id, error) : error
  }
  await writeProperties(query, id, image.properties, false, columns.created_at)
  await writeTags(query, id, image.tags, columns.created_at)
  await writeLocations(query, seal, id, image.locations, columns.created_at)
  return loadImage(query, seal, id)
}

async function update(
  query: Query,
  seal: Seal,
  id: string,
  patch: ImagePatch,
  expect: Expectation | undefined,
  now: TimeText,
): Promise<Image> {
  await updateRow(query, id, patch, expect, now)
  if (patch.properties) await writeProperties(query, id, patch.properties.set, patch.properties.purge, now)
  if (patch.tags) await writeTags(query, id, patch.tags, now)
  if (patch.locations) await writeLocations(query, seal, id, patch.locations, now)
  if (patch.status === 'deleted') await buryChildren(query, id, now)
  return loadImage(query, seal, id)
}

/** One statement decides, so that of two writers who expect the same status one wins in every database. */
async function updateRow(
  query: Query,
  id: string,
  patch: ImagePatch,
  expect: Expectation | undefined,
  now: TimeText,
): Promise<void> {
  if (!isStorable(id)) throw imageNotFound(id)
  const deletes = patch.status === 'deleted' && patch.deletedAt === undefined
  const { numUpdatedRows } = await query
    .updateTable('images')
    .set(toColumns(patch))
    // A clock that was set back does not take the record back.
    .set({ updated_at: sql<TimeText>`case when updated_at > ${now} then updated_at else ${now} end` })
    .$if(deletes, (statement) => statement.set({ deleted: 1, deleted_at: sql<TimeText>`coalesce(deleted_at, ${now})` }))
    .where('id', '=', id)
    .$if(expect !== undefined, (statement) =>
      statement.where('status', 'in', expect?.status.length ? expect.status : ['']),
    )
    .$if(expect?.writer !== undefined, (statement) => statement.where('writer', '=', expect?.writer ?? ''))
    .executeTakeFirstOrThrow()
  if (numUpdatedRows === 0n) throw await refusal(query, id, expect)
}

async function refusal(query: Query, id: string, expect: Expectation | undefined): Promise<MullionError> {
  const found = await query.selectFrom('images').select(['status', 'writer']).where('id', '=', id).executeTakeFirst()
  if (!found) return imageNotFound(id)
  const isWriter = expect?.writer === undefined || expect.writer === found.writer
  const expected = `${(expect?.status ?? []).join(' or ')}${isWriter ? '' : ' by another writer'}`
  return new MullionError('conflict', `image ${id}: is ${found.status}, expected ${expected}`, {
    details: { expected },
    context: { imageId: id },
  })
}

async function loadImage(query: Query, seal: Seal, id: string): Promise<Image> {
  const [image] = isStorable(id) ? await loadImages(query, seal, [id]) : []
  if (!image) throw imageNotFound(id)
  return image
}

function idTaken(id: string, cause: unknown): MullionError<'already_exists'> {
  return new MullionError('already_exists', `image ${id}: the id is taken, or was once`, {
    details: { key: id },
    context: { imageId: id },
    cause,
  })
}
