import { isMullionError } from 'mullion'
import { canChange, canSee, type Image } from 'mullion/images'
import { ApiError } from '../errors.ts'
import type { Caller, Registry } from './context.ts'
import { Refusal } from './errors.ts'

/** glance/db/sqlalchemy/models.py: a longer id is none, and not every database would only shrug. */
const MAX_ID_LENGTH = 36

/** The image. Throws 404 when there is none, or none the caller may know of. */
export async function loadVisible({ ports }: Registry, { actor }: Caller, id: string): Promise<Image> {
  const image = id.length > MAX_ID_LENGTH ? undefined : await found(ports.images.get(id))
  if (!image || !(await canSee(ports, actor, image))) throw noSuchImage()
  return image
}

/** The image, deleted or not. Throws 404, and 403 when it is public but not the caller's to change. */
export async function loadMutable({ ports }: Registry, { actor }: Caller, id: string): Promise<Image> {
  const image = id.length > MAX_ID_LENGTH ? undefined : await found(ports.images.get(id))
  if (image && canChange(actor, image)) return image
  if (image?.visibility === 'public' && image.deletedAt === undefined) throw new ApiError(403)
  throw noSuchImage()
}

export function noSuchImage(): Refusal {
  return new Refusal('not_found', 'Image not found', { bare: true })
}

async function found(image: Promise<Image>): Promise<Image | undefined> {
  try {
    return await image
  } catch (error) {
    if (isMullionError(error, 'not_found')) return undefined
    throw error
  }
}
