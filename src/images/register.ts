import { MullionError } from '../errors.ts'
import { invalidTransition } from './advance.ts'
import { type Image, publicImage } from './image.ts'
import type { Ports } from './ports.ts'

/**
 * queued → active, with data that stays where it is. Rejects `size_mismatch` when the record's size (unless 0) is not
 * what the store says, `invalid_transition` when it is not queued, `conflict` when it moved meanwhile, and what the
 * store rejects with: `not_found`, `unavailable`, `invalid_location`.
 * The digests stay what the creator sent: nobody has seen the bytes.
 */
export async function register(ports: Ports, id: string, uri: string): Promise<Image> {
  const store = ports.stores.getStoreFromLocation(uri)
  const { status, size, locations } = await ports.images.get(id)
  if (status !== 'queued') throw invalidTransition(id, 'register', status) // in saving somebody brings the data already
  const actual = await ports.stores.getSizeFromBackend(uri)
  if (size && actual !== undefined && size !== actual) {
    throw new MullionError('size_mismatch', `image ${id}: expected ${size} bytes, the store has ${actual}`, {
      details: { expected: size, actual },
      context: { imageId: id },
    })
  }
  const registered = { uri, metadata: { store }, status: 'active' } as const
  const patch = { status: 'active', size: size || actual, locations: [...locations, registered] } as const
  const image = await ports.images.update(id, patch, { status: ['queued'] })
  ports.notifier.notify('activate', publicImage(image))
  ports.notifier.notify('update', publicImage(image))
  return image
}
