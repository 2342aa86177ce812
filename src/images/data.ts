import { MullionError } from '../errors.ts'
import type { GetOptions, GetResult } from '../get.ts'
import type { Image, ImageLocation } from './image.ts'
import type { Ports } from './ports.ts'

/**
 * Opens the data at the first active location. Dispose of the result. Rejects `not_found` when the image has none, or
 * the store lost it.
 */
export async function openData(
  { stores }: Pick<Ports, 'stores'>,
  image: Image,
  options: GetOptions = {},
): Promise<GetResult> {
  const location = image.locations.find(({ status }) => status === 'active')
  if (location) return stores.get(refOf(location), options)
  throw new MullionError('not_found', `image ${image.id}: has no data`, {
    details: { location: image.id },
    context: { imageId: image.id },
  })
}

/** The recorded location with the store it was recorded for. */
export function refOf({ uri, metadata }: ImageLocation): { readonly uri: string; readonly store?: string | undefined } {
  return { uri, store: metadata['store'] }
}
