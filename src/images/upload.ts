import type { AddResult } from '../add-options.ts'
import { isMullionError, MullionError } from '../errors.ts'
import type { HashName } from '../hash/digests.ts'
import { type Location, revealUri } from '../location.ts'
import { type ByteSource, openSource } from '../source.ts'
import { advance } from './advance.ts'
import { deleteData } from './remove.ts'
import { type Image, type ImageLocation, type LocationStatus, publicImage } from './image.ts'
import type { Ports } from './ports.ts'

export interface UploadOptions {
  /** Default: the stores' default. */
  readonly store?: string | undefined
  /** Bytes the source announces, such as a Content-Length. The record's own size, if it has one, must match as well. */
  readonly size?: number | undefined
  /** Bytes; one more rejects `too_large`. */
  readonly limit?: number | undefined
  /** What a failure makes of the image: v1 kills it for good, v2 lets data be sent again. */
  readonly onFailure: 'kill' | 'requeue'
  /** What aborting the signal makes of it. Default: what a failure does. */
  readonly onAbort?: 'kill' | 'requeue'
  readonly signal?: AbortSignal | undefined
  /** As for `stores.add`. */
  readonly sourceIdleTimeoutMs?: number | undefined
  /** The digest beside md5. Default sha512. */
  readonly hashAlgorithm?: HashName | undefined
}

/**
 * queued → saving → active. The size (unless 0) and checksum in the record are what the creator expects: other data is
 * refused and nothing of it kept. Rejects what `stores.add` rejects, the source's own error, `not_found` when the image
 * was deleted meanwhile, `conflict` when something else moved it, `invalid_transition` when it is not queued. After
 * each of these nothing of the data is kept.
 */
export async function upload(ports: Ports, id: string, source: ByteSource, options: UploadOptions): Promise<Image> {
  const image = await begun(ports, id).catch(async (error: unknown) => {
    await openSource(source).abandon()
    throw error
  })
  return save(ports, image, source, options)
}

async function begun(ports: Ports, id: string): Promise<Image> {
  const before = await ports.images.get(id)
  const image = await advance(ports, id, 'upload')
  ports.notifier.notify('prepare', publicImage(before))
  return image
}

/** The rest of `upload`, for an image that is in saving and whose data nobody else brings. */
export async function save(ports: Ports, image: Image, source: ByteSource, options: UploadOptions): Promise<Image> {
  try {
    await clear(ports, image)
    const added = await addExpected(ports, image, source, options)
    const active = await activateWith(ports, image.id, added)
    ports.notifier.notify('upload', publicImage({ ...active, status: 'saving' }))
    ports.notifier.notify('activate', publicImage(active))
    ports.notifier.notify('update', publicImage(active))
    return active
  } catch (thrown) {
    const error = await explained(ports, image.id, thrown)
    await giveUp(ports, image.id, endOf(error, options), error)
    ports.notifier.notify('upload', publicImage(image), reasonOf(error))
    throw error
  }
}

/** An object that was in the store before says nothing about this image: it is as if nobody had tried (glance/api/v1/upload_utils.py, Duplicate). */
function endOf(error: unknown, { onFailure, onAbort = onFailure, signal }: UploadOptions): UploadOptions['onFailure'] {
  if (isMullionError(error, 'already_exists')) return 'requeue'
  return signal?.aborted ? onAbort : onFailure
}

function addExpected(ports: Ports, image: Image, source: ByteSource, options: UploadOptions): Promise<AddResult> {
  const expected = image.size === 0 ? undefined : image.size
  const { size = expected, store, limit, signal, sourceIdleTimeoutMs, hashAlgorithm = 'sha512' } = options
  if (expected !== undefined && size !== expected) {
    throw new MullionError('size_mismatch', `image ${image.id}: expected ${expected} bytes, ${size} announced`, {
      details: { expected, actual: size ?? 0 },
      context: { imageId: image.id },
    })
  }
  return ports.stores.add(image.id, source, {
    ...(store !== undefined && { store }),
    ...(size !== undefined && { size }),
    ...(limit !== undefined && { limit }),
    ...(signal !== undefined && { signal }),
    ...(sourceIdleTimeoutMs !== undefined && { sourceIdleTimeoutMs }),
    ...(image.checksum !== undefined && { expect: { md5: image.checksum } }),
    hashes: ['md5', hashAlgorithm],
    // a crash between the store's commit and ours then leaves a place to clean
    onLocation: async (location) => {
      await ports.images.update(image.id, { locations: [recorded(location, {}, 'pending')] }, ['saving'])
    },
  })
}

async function activateWith(ports: Ports, id: string, added: AddResult): Promise<Image> {
  const { md5, ...others } = added.hashes
  const [[hashAlgorithm, hashValue] = []] = Object.entries(others)
  const locations = [recorded(added.location, added.metadata, 'active')]
  try {
    const patch = {
      size: added.size,
      checksum: md5,
      hashAlgorithm,
      hashValue,
      locations,
      reason: undefined,
      status: 'active',
    } as const
    return await ports.images.update(id, patch, ['saving'])
  } catch (error) {
    const now = await ports.images.get(id)
    const uri = revealUri(added.location)
    if (now.status === 'active' && now.locations.some((location) => location.uri === uri)) return now // only the answer was lost
    await discard(ports, id)
    throw error
  }
}

/** Removes what an earlier try announced and could not take back. Rejects when it still cannot. */
async function clear(ports: Ports, { id, locations }: Image): Promise<void> {
  for (const location of locations) await deleteData(ports, location)
  if (locations.length > 0) await ports.images.update(id, { locations: [] }, ['saving'])
}

/** Removes data that was announced and is nobody's. What cannot be removed now stays recorded for the next start. */
async function discard(ports: Ports, id: string): Promise<void> {
  const { locations } = await ports.images.get(id)
  const kept: ImageLocation[] = []
  for (const location of locations) if (!(await isDiscarded(ports, location))) kept.push(location)
  if (kept.length < locations.length) await ports.images.update(id, { locations: kept })
}

async function isDiscarded(ports: Ports, location: ImageLocation): Promise<boolean> {
  if (location.status !== 'pending') return false
  try {
    await deleteData(ports, location)
    return true
  } catch (error) {
    if (!isMullionError(error)) throw error
    return false
  }
}

/** A conflict with a deletion, told as what it is. */
async function explained(ports: Ports, id: string, error: unknown): Promise<unknown> {
  if (!isMullionError(error, 'conflict')) return error
  const { deletedAt, status } = await ports.images.get(id)
  if (deletedAt === undefined && status !== 'deleted') return error
  return new MullionError('not_found', `image ${id}: was deleted during the upload`, {
    details: { location: id },
    context: { imageId: id },
    cause: error,
  })
}

/** Kills or requeues. An image that was deleted or moved meanwhile stays as it is: the first error counts. */
async function giveUp(ports: Ports, id: string, event: UploadOptions['onFailure'], error: unknown): Promise<void> {
  const foreign = isMullionError(error, 'already_exists') // what is there was there before, and is not ours to remove
  try {
    if (!foreign) await discard(ports, id)
    await advance(ports, id, event, { reason: reasonOf(error), ...(foreign && { locations: [] }) })
  } catch (second) {
    if (!isMullionError(second)) throw second
  }
}

function recorded(location: Location, metadata: ImageLocation['metadata'], status: LocationStatus): ImageLocation {
  return { uri: revealUri(location), metadata: { ...metadata, store: location.store }, status }
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
