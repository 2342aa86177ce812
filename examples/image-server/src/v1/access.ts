import { isMullionError } from 'mullion'
import { type Action, type Actor, canSee, type Image, publicImage } from 'mullion/images'
import { ApiError } from '../errors.ts'
import type { V1 } from './context.ts'
import type { Metadata } from './metadata.ts'

/** Throws 403, with no more to read than that. */
export async function enforce({ ports }: V1, action: Action, actor: Actor, image?: Image): Promise<void> {
  try {
    await ports.policy.enforce(action, actor, image && publicImage(image))
  } catch (error) {
    throw isMullionError(error, 'permission_denied') ? new ApiError(403, '', { cause: error }) : error
  }
}

/** The rules that POST and PUT have in common, after the action's own. */
export async function enforceContent(v1: V1, actor: Actor, { isPublic, copyFrom = '', body }: Metadata): Promise<void> {
  if (isPublic) await enforce(v1, 'publicize_image', actor)
  if (copyFrom !== '') await enforce(v1, 'copy_from', actor)
  if (copyFrom !== '' || body) await enforce(v1, 'upload_image', actor)
}

/** Throws 403 for those who may only read. */
export function refuseReadOnly(actor: Actor): void {
  if (actor.readOnly) throw new ApiError(403, 'Read-only access')
}

/** The image, undefined when there is none or the actor may not know of it. */
export async function findVisible({ ports }: V1, actor: Actor, id: string): Promise<Image | undefined> {
  try {
    const image = await ports.images.get(id)
    return (await canSee(ports, actor, image)) ? image : undefined
  } catch (error) {
    if (isMullionError(error, 'not_found')) return undefined
    throw error
  }
}

/** Throws 404 when there is no image, or none the actor may know of. */
export async function loadVisible(v1: V1, actor: Actor, id: string): Promise<Image> {
  const image = await findVisible(v1, actor, id)
  if (!image) throw noSuchImage(id)
  return image
}

export function noSuchImage(id: string): ApiError {
  return new ApiError(404, `Image with identifier ${id} not found`)
}

/** Throws 413 when an image would have more custom properties than it may, or larger ones. */
export function checkPropertyQuota({ settings }: V1, properties: ReadonlyMap<string, string | null>): void {
  const { propertyQuota, propertiesSize } = settings
  if (propertyQuota >= 0 && properties.size > propertyQuota) {
    const text = 'The limit has been exceeded on the number of allowed image properties.'
    throw new ApiError(413, `${text} Attempted: ${properties.size}, Maximum: ${propertyQuota}`)
  }
  const size = [...properties].flat().reduce((sum, text) => sum + Buffer.byteLength(text ?? ''), 0)
  if (propertiesSize >= 0 && size > propertiesSize) {
    const text = 'The limit has been exceeded on the size of all image properties together.'
    throw new ApiError(413, `${text} Attempted: ${size}, Maximum: ${propertiesSize}`)
  }
}
