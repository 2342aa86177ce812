import type { Image } from './image.ts'
import type { Actor, Ports } from './ports.ts'

/**
 * Whether the actor may know of the image (Images v1, visibility): admins see all, also what is deleted; others see what
 * has no owner, is public, is their own, or is shared with them.
 */
export async function canSee({ members }: Pick<Ports, 'members'>, actor: Actor, image: Image): Promise<boolean> {
  if (actor.admin) return true
  if (image.deletedAt !== undefined) return false
  if (image.owner === undefined || image.visibility === 'public' || image.owner === actor.owner) return true
  return actor.owner !== undefined && (await members.find(image.id, actor.owner)) !== undefined
}

/** Admins, and the owner. An image without one is changed by admins only. */
export function canChange(actor: Actor, image: Image): boolean {
  return actor.admin || (image.owner !== undefined && image.owner === actor.owner)
}
