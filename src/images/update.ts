import { type Image, type ImagePatch, publicImage } from './image.ts'
import type { Ports } from './ports.ts'

/** Changes metadata, in any status. The status itself moves by events only. Rejects `not_found`. */
export async function updateImage(
  ports: Ports,
  id: string,
  patch: Omit<ImagePatch, 'status' | 'locations'>,
): Promise<Image> {
  const image = await ports.images.update(id, patch)
  ports.notifier.notify('update', publicImage(image))
  return image
}
