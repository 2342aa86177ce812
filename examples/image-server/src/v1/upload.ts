import type { FastifyReply, FastifyRequest } from 'fastify'
import { isMullionError, type MullionError } from 'mullion'
import { advance, type Image, type Ports, upload } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { BodyIdle, brokeOff, ClientDisconnected, requestBody } from '../plugins/body.ts'
import type { V1 } from './context.ts'
import type { BodyFacts, Metadata } from './metadata.ts'
import { beginTransfer, ServerStopped } from './transfer.ts'

/** The store named by the request, undefined for the default. Throws 400 with `message` when there is no such store. */
export function chosenStore({ ports }: V1, { store }: Metadata, message: (name: string) => string): string | undefined {
  if (store === undefined || store === null) return undefined
  const known = ports.storeNamed
    ? ports.storeNamed(store)
    : ports.stores.getKnownSchemes().find((name) => name === store)
  if (known === undefined) throw new ApiError(400, message(store))
  return known
}

/** Stores the body of the request as the data of a queued image; answers only then. A failure kills the image. */
export async function uploadBody(
  v1: V1,
  image: Image,
  request: FastifyRequest,
  reply: FastifyReply,
  options: { readonly body: BodyFacts; readonly store: string | undefined },
): Promise<Image> {
  const { imageSizeCap, idleTimeoutMs, storageQuota } = v1.settings
  if (!options.body.isOctetStream) {
    await advance(v1.ports, image.id, 'kill', { reason: 'content type' })
    throw new ApiError(400, 'Content-Type must be application/octet-stream')
  }
  using transfer = beginTransfer(v1.ports, 'upload')
  try {
    const ports = unlessClientLeft(v1.ports, request)
    return await upload(ports, image.id, requestBody(request.raw, reply.raw, idleTimeoutMs), {
      store: options.store,
      size: options.body.length,
      limit: imageSizeCap,
      quota: storageQuota,
      onFailure: 'kill',
      signal: transfer.signal,
      sourceIdleTimeoutMs: 0,
    })
  } catch (error) {
    throw await uploadFailure(v1, image.id, error)
  }
}

/** Images v1 §15: nobody is notified of an upload that failed because its client left. */
function unlessClientLeft(ports: Ports, { raw }: FastifyRequest): Ports {
  const { notifier } = ports
  return {
    ...ports,
    notifier: {
      notify(event, image, failure) {
        if (event !== 'upload' || failure === undefined || !brokeOff(raw)) notifier.notify(event, image, failure)
      },
    },
  }
}

/** The answer to a failed upload (glance/api/v1/upload_utils.py, upload_data_to_store). */
async function uploadFailure(v1: V1, id: string, error: unknown): Promise<unknown> {
  const init = { cause: error }
  if (error instanceof ClientDisconnected) return error
  if (error instanceof BodyIdle) return new ApiError(408, error.message, init)
  if (error instanceof ServerStopped) return new ApiError(503, error.message, init)
  if (isMullionError(error, 'too_large')) {
    return new ApiError(413, `Denying attempt to upload image larger than ${error.details.limit} bytes.`, init)
  }
  if (isMullionError(error, 'quota_exceeded')) {
    const { size, remaining } = error.details
    const text = 'Denying attempt to upload image because it exceeds the quota: The size of the data'
    return new ApiError(413, `${text} ${size} will exceed the limit. ${remaining} bytes remaining.`, init)
  }
  if (isMullionError(error, 'size_mismatch')) {
    return mismatch('size', error.details, error)
  }
  if (isMullionError(error, 'hash_mismatch')) {
    return mismatch('checksum', error.details, error)
  }
  if (!isMullionError(error)) return new ApiError(500, `Failed to upload image ${id}`, init)
  if ((error.code === 'conflict' || error.code === 'invalid_transition') && (await isGone(v1, id)))
    return gone(id, error)
  switch (error.code) {
    case 'not_found':
      return gone(id, error)
    case 'already_exists':
    case 'conflict':
    case 'invalid_transition':
      return new ApiError(409, `Attempt to upload duplicate image: ${id}`, init)
    case 'unsupported':
      return new ApiError(410, 'Error in store configuration. Adding images to store is disabled.', init)
    case 'storage_full':
      return new ApiError(
        413,
        'Image storage media is full: There is not enough disk space on the image storage media.',
        init,
      )
    case 'permission_denied':
      return new ApiError(
        503,
        'Insufficient permissions on image storage media: Permission to write image storage media denied.',
        init,
      )
    case 'closed':
    case 'unavailable':
    case 'rate_limited':
    case 'timeout':
      return new ApiError(503, 'Image storage media is unavailable: The image was not stored.', init)
    default:
      return new ApiError(500, `Failed to upload image ${id}`, init)
  }
}

async function isGone({ ports }: V1, id: string): Promise<boolean> {
  try {
    return (await ports.images.get(id)).deletedAt !== undefined
  } catch (error) {
    return isMullionError(error, 'not_found')
  }
}

function gone(id: string, cause: MullionError): ApiError {
  const text = 'could not be found after upload. The image may have been deleted during the upload.'
  return new ApiError(412, `Image ${id} ${text}`, { cause })
}

function mismatch(
  what: string,
  { expected, actual }: { readonly expected: string | number; readonly actual: string | number },
  cause: MullionError,
): ApiError {
  const text = `Supplied ${what} (${expected}) and ${what} generated from uploaded image (${actual}) did not match.`
  return new ApiError(400, `${text} Setting image status to 'killed'.`, { cause })
}
