import { MullionError } from '../errors.ts'
import type { GetOptions, GetResult } from '../get.ts'
import type { Image, ImageLocation } from './image.ts'
import type { Ports } from './ports.ts'

/**
 * Opens the data at the first active location. Dispose of the result. Rejects `not_found` when the image has none, or
 * the store lost it, and `size_mismatch` when the object is no longer as large as what was measured at the upload.
 */
export async function openData(
  { stores }: Pick<Ports, 'stores'>,
  image: Image,
  options: GetOptions = {},
): Promise<GetResult> {
  const location = image.locations.find(({ status }) => status === 'active')
  if (location) return measured(image, await stores.get(refOf(location), options))
  throw new MullionError('not_found', `image ${image.id}: has no data`, {
    details: { location: image.id },
    context: { imageId: image.id },
  })
}

/** Registered data was never measured: its size is whatever the store says. */
async function measured(image: Image, data: GetResult): Promise<GetResult> {
  const { size: expected, hashValue } = image
  const { size: actual } = data
  if (hashValue === undefined || expected === undefined || actual === undefined || actual === expected) return data
  await data[Symbol.asyncDispose]()
  throw new MullionError('size_mismatch', `image ${image.id}: expected ${expected} bytes, the store has ${actual}`, {
    details: { expected, actual },
    context: { imageId: image.id },
  })
}

/** The recorded location with the store it was recorded for. */
export function refOf({ uri, metadata }: ImageLocation): { readonly uri: string; readonly store?: string | undefined } {
  return { uri, store: metadata['store'] }
}
