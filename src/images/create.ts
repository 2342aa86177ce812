import { advance } from './advance.ts'
import { type Image, type ImageDraft, newImage, publicImage } from './image.ts'
import type { Ports } from './ports.ts'

/** A record in status queued, data to come. Rejects `already_exists`, also for the id of a deleted image. */
export async function create(ports: Ports, draft: ImageDraft): Promise<Image> {
  const image = await ports.images.insert(newImage(draft, ports.now(), ports.newId))
  ports.notifier.notify('create', publicImage(image))
  return image
}

/** `create`; a draft of size 0 is an empty image and active at once. */
export async function reserve(ports: Ports, draft: ImageDraft): Promise<Image> {
  const image = await create(ports, draft)
  return draft.size === 0 ? advance(ports, image.id, 'activate') : image
}
