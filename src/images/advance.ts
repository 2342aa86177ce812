import { MullionError } from '../errors.ts'
import type { Image, ImagePatch } from './image.ts'
import type { Ports } from './ports.ts'
import { type ImageEvent, type ImageStatus, nextStatus } from './status.ts'

/**
 * One event of an image: read, decide, compare-and-set. Rejects `invalid_transition` when the event may not happen in
 * the present status, `conflict` when the status moved meanwhile, `not_found`.
 */
export async function advance(
  { images }: Pick<Ports, 'images'>,
  id: string,
  event: ImageEvent,
  patch: ImagePatch = {},
): Promise<Image> {
  const image = await images.get(id)
  return images.update(id, { ...patch, status: decided(image, event) }, { status: [image.status] })
}

/** Where the event leads the image, as it was read. Throws `invalid_transition`. */
export function decided({ id, status }: Image, event: ImageEvent): ImageStatus {
  const to = nextStatus(event, status)
  if (to === undefined) throw invalidTransition(id, event, status)
  return to
}

export function invalidTransition(id: string, event: string, status: ImageStatus): MullionError<'invalid_transition'> {
  return new MullionError('invalid_transition', `image ${id}: cannot ${event}: it is ${status}`, {
    details: { event, status },
    context: { imageId: id },
  })
}
