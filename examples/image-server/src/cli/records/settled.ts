import type { Image } from 'mullion/images'

/**
 * The record as it can go on without the process that was bringing its data: what nobody brings data to any more is
 * killed where Images v1 would have, and queued where an import was under way. Announced locations stay for the sweep.
 */
export function settled(image: Image): Image {
  if (image.status === 'saving') return { ...image, status: 'killed', writer: undefined, reason: INTERRUPTED }
  if (image.status === 'uploading' || image.status === 'importing') {
    return { ...image, status: 'queued', writer: undefined }
  }
  return { ...image, writer: undefined }
}

const INTERRUPTED = 'its data was still coming in when the record was taken over'
