import { isDeepStrictEqual } from 'node:util'
import { isMullionError, MullionError } from 'mullion'
import type { Image, ImagePatch, MemberDraft, Ports } from 'mullion/images'

/** An image with everything that belongs to it, from elsewhere. */
export interface ImageRecord {
  readonly image: Image
  readonly members: readonly Required<MemberDraft>[]
}

export const ON_CONFLICT = ['fail', 'skip', 'replace'] as const
/** What happens to a record whose id is there with something else in it. */
export type OnConflict = (typeof ON_CONFLICT)[number]

/** `kept`: another record of the id is there and stays. */
export type PutOutcome = 'added' | 'unchanged' | 'replaced' | 'kept'

export interface PutOptions {
  readonly onConflict: OnConflict
  /** Only say what would happen. */
  readonly dryRun: boolean
}

type Records = Pick<Ports, 'images' | 'members'>

/**
 * Writes a record unless it is there already. Rejects `conflict` when another one is there and `onConflict` is `fail`,
 * and always when the id belonged to a deleted image: ids are never used again. `replace` leaves `createdAt` as it is.
 */
export async function putRecord(ports: Records, record: ImageRecord, options: PutOptions): Promise<PutOutcome> {
  const { id } = record.image
  const present = await find(ports, id)
  if (present) return settle(ports, present, record, options)
  if (options.dryRun) return 'added'
  try {
    await ports.images.insert(record.image)
  } catch (error) {
    if (!isMullionError(error, 'already_exists')) throw error
    const another = await find(ports, id)
    if (!another) throw conflict(id, 'is there in another spelling')
    return settle(ports, another, record, options)
  }
  if (record.members.length > 0) await ports.members.replace(id, record.members)
  return 'added'
}

async function find({ images }: Records, id: string): Promise<Image | undefined> {
  try {
    return await images.get(id)
  } catch (error) {
    if (isMullionError(error, 'not_found')) return undefined
    throw error
  }
}

async function settle(
  ports: Records,
  present: Image,
  { image, members }: ImageRecord,
  { onConflict, dryRun }: PutOptions,
): Promise<PutOutcome> {
  const { id } = present
  if (present.status === 'deleted' && image.status === 'deleted') return 'unchanged'
  const known = await ports.members.list(id)
  if (isDeepStrictEqual(comparable(present), comparable(image))) {
    if (isDeepStrictEqual(sorted(known), sorted(members))) return 'unchanged'
    if (known.length === 0 || onConflict === 'replace') return replaceMembers(ports, id, members, dryRun)
  }
  if (onConflict === 'skip') return 'kept'
  if (onConflict === 'fail') throw conflict(id, 'is there with other values')
  if (present.status === 'deleted') throw conflict(id, 'was deleted here, and ids are never used again')
  if (dryRun) return 'replaced'
  await ports.images.update(id, patchOf(image), { status: [present.status] })
  if (image.status !== 'deleted') await ports.members.replace(id, members)
  return 'replaced'
}

async function replaceMembers(
  { members: registry }: Records,
  id: string,
  members: ImageRecord['members'],
  dryRun: boolean,
): Promise<PutOutcome> {
  if (!dryRun) await registry.replace(id, members)
  return 'replaced'
}

function patchOf({ id: _id, createdAt: _createdAt, updatedAt: _updatedAt, properties, ...fields }: Image): ImagePatch {
  return { ...fields, properties: { set: properties, purge: true } }
}

/** What two records of one image have to agree on: not the times that a registry sets, nor any order that means nothing. */
function comparable({ createdAt: _created, updatedAt: _updated, writer: _writer, ...image }: Image): object {
  const locations = image.locations.map(({ metadata: { store: _store, ...metadata }, ...location }) => ({
    ...location,
    metadata, // the name of the store is a hint, and another one after a move
  }))
  return { ...image, locations, tags: image.tags.toSorted(), properties: Object.fromEntries(image.properties) }
}

function sorted(members: readonly Required<MemberDraft>[]): readonly string[] {
  return members.map(({ member, canShare }) => JSON.stringify([member, canShare])).toSorted()
}

function conflict(id: string, what: string): MullionError<'conflict'> {
  return new MullionError('conflict', `image ${id}: ${what} (see --on-conflict)`, {
    details: { expected: 'no such record' },
    context: { imageId: id },
  })
}
