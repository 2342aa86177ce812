import type { AddResult } from '../add-options.ts'
import { MullionError } from '../errors.ts'
import { type Location, revealUri } from '../location.ts'
import type { ByteSource } from '../source.ts'
import { hold } from './hold.ts'
import type { Image, ImageLocation, LocationStatus } from './image.ts'
import type { Ports } from './ports.ts'
import { asQuota, assertFits, inTurnOfOwner, type Room, roomFor } from './quota.ts'
import { deleteData } from './remove.ts'
import type { Attempt, UploadOptions } from './attempt.ts'

type Bounds = UploadOptions & { readonly room: Room; readonly signal: AbortSignal }

/** Stores the data and activates the image. Whatever it rejects with, `giveUp` removes what may be in the store. */
export async function save(ports: Ports, attempt: Attempt, source: ByteSource, options: UploadOptions): Promise<Image> {
  using held = hold(ports, attempt.claim, options.signal)
  const { image } = attempt
  await clear(ports, attempt)
  const room = await roomFor(ports, image, options.quota)
  const added = await addExpected(ports, attempt, source, { ...options, room, signal: held.signal })
  if (room === undefined) return activate(ports, attempt, added)
  return inTurnOfOwner(image.owner ?? '', async () => {
    assertFits(image.id, added.size, await roomFor(ports, image, options.quota))
    return activate(ports, attempt, added)
  })
}

async function addExpected(
  ports: Ports,
  attempt: Attempt,
  source: ByteSource,
  { store, size: announced, limit, room, signal, sourceIdleTimeoutMs, hashAlgorithm = 'sha512' }: Bounds,
): Promise<AddResult> {
  const { image, claim, key } = attempt
  const expected = image.size === 0 ? undefined : image.size
  const size = announced ?? expected
  if (expected !== undefined && size !== expected) {
    throw new MullionError('size_mismatch', `image ${image.id}: expected ${expected} bytes, ${size} announced`, {
      details: { expected, actual: size ?? 0 },
      context: { imageId: image.id },
    })
  }
  assertFits(image.id, size, room)
  const most = Math.min(limit ?? Number.POSITIVE_INFINITY, room ?? Number.POSITIVE_INFINITY)
  try {
    return await ports.stores.add(key, source, {
      ...(store !== undefined && { store }),
      ...(size !== undefined && { size }),
      ...(most < Number.POSITIVE_INFINITY && { limit: most }),
      signal,
      ...(sourceIdleTimeoutMs !== undefined && { sourceIdleTimeoutMs }),
      ...(image.checksum !== undefined && { expect: { md5: image.checksum } }),
      hashes: ['md5', hashAlgorithm],
      // a crash between the store's commit and ours then leaves a place to clean
      onLocation: async (location) => {
        attempt.place = recorded(location, {}, 'pending')
        const expect = { status: ['saving'], writer: claim.token } as const
        await ports.images.update(image.id, { locations: [attempt.place] }, expect)
      },
    })
  } catch (error) {
    throw asQuota(image.id, error, most === room ? room : undefined)
  }
}

async function activate(ports: Ports, { image: { id }, claim }: Attempt, added: AddResult): Promise<Image> {
  const { md5, ...others } = added.hashes
  const [[hashAlgorithm, hashValue] = []] = Object.entries(others)
  const patch = {
    size: added.size,
    checksum: md5,
    hashAlgorithm,
    hashValue,
    locations: [recorded(added.location, added.metadata, 'active')],
    reason: undefined,
    writer: undefined,
    status: 'active',
  } as const
  try {
    return await ports.images.update(id, patch, { status: ['saving'], writer: claim.token })
  } catch (error) {
    const now = await ports.images.get(id)
    const uri = revealUri(added.location)
    // only the answer was lost
    if (now.status === 'active' && now.locations.some((location) => location.uri === uri)) return now
    throw error
  }
}

/**
 * Removes what an earlier try announced and could not take back. Rejects when it still cannot, and `conflict` when the image
 * has data already.
 */
async function clear(ports: Ports, { image: { id, locations }, claim }: Attempt): Promise<void> {
  if (locations.length === 0) return
  if (locations.some(({ status }) => status !== 'pending')) {
    throw new MullionError('conflict', `image ${id}: has a location already`, {
      details: { expected: 'an image without a location' },
      context: { imageId: id },
    })
  }
  for (const location of locations) await deleteData(ports, location)
  await ports.images.update(id, { locations: [] }, { status: ['saving'], writer: claim.token })
}

function recorded(location: Location, metadata: ImageLocation['metadata'], status: LocationStatus): ImageLocation {
  return { uri: revealUri(location), metadata: { ...metadata, store: location.store }, status }
}
