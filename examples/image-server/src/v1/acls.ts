import { isMullionError } from 'mullion'
import { type Image, pushAcls } from 'mullion/images'
import { ApiError } from '../errors.ts'
import type { V1 } from './context.ts'

/**
 * Tells the stores who may reach the data of an image directly. What the caller changed stands already, so a store that
 * cannot be told is an error the caller has to know of: somebody may still reach what they no longer should.
 */
export async function tellStores({ ports }: V1, { id }: Image): Promise<void> {
  try {
    await pushAcls(ports, id)
  } catch (cause) {
    throw failure(id, cause)
  }
}

function failure(id: string, cause: unknown): ApiError {
  if (isMullionError(cause, 'not_found')) return new ApiError(404, `Data for image ${id} not found`, { cause })
  if (isMullionError(cause, 'unknown_scheme') || isMullionError(cause, 'invalid_location')) {
    return new ApiError(400, `Invalid location of image ${id}`, { cause })
  }
  const text = `Image ${id} was changed, but its store could not be told who may read it. Send the request again.`
  return new ApiError(503, text, { cause })
}
