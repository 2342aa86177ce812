import { isMullionError } from '../errors.ts'
import { decided } from './advance.ts'
import { cleanAnnounced } from './announced.ts'
import { fence } from './fence.ts'
import type { ImageLocation } from './image.ts'
import type { Ports } from './ports.ts'
import { deleteData } from './remove.ts'
import type { Attempt } from './attempt.ts'
import { isClaimOf } from './tasks.ts'

export interface GivenUp {
  readonly event: 'kill' | 'requeue'
  readonly reason: string
  /** What lies in the store was there before, and is not ours to remove. */
  readonly isForeign: boolean
}

/**
 * Ends an attempt that failed: its data goes, the image is killed or queued. An image that was deleted or moved meanwhile
 * stays as it is. While the registry cannot be reached nothing is removed: what it was told last may yet come true. Whoever
 * sweeps ends such an image later.
 */
export async function giveUp(ports: Ports, attempt: Attempt, { event, reason, isForeign }: GivenUp): Promise<void> {
  const { id } = attempt.image
  try {
    const ours = await fence(ports, { id, status: 'saving', writer: attempt.claim.token })
    if (!ours) {
      if (!isForeign) await discard(ports, attempt)
      return
    }
    const { locations } = isForeign ? { locations: [] } : await cleanAnnounced(ports, ours)
    const patch = { status: decided(ours, event), reason, writer: undefined, locations }
    await ports.images.update(id, patch, { status: ['saving'], writer: ours.writer })
  } catch (error) {
    if (!isMullionError(error)) throw error
  }
}

/** Removes what we stored for an image that is ours no longer, unless it is, or may become, the image's after all. */
async function discard(ports: Ports, { image: { id }, claim, place }: Attempt): Promise<void> {
  if (!place) return
  const now = await ports.images.get(id)
  const isUsed = now.locations.some(({ uri, status }) => uri === place.uri && status !== 'pending')
  // other attempts at one task have other keys, but another task may be storing under this one
  const mayMeet = now.status === 'queued' || (now.status === 'saving' && !isClaimOf(claim.task.id, now.writer))
  if (isUsed || mayMeet) return
  await deleteData(ports, place)
  const locations = now.locations.filter(({ uri }: ImageLocation) => uri !== place.uri)
  if (locations.length === now.locations.length) return
  await ports.images.update(id, { locations }, { status: [now.status], writer: claim.token })
}

/** Whether somebody else may go on with the work: it is theirs now, or it was the records that could not be reached. */
export function mayGoOn(error: unknown): boolean {
  if (isMullionError(error, 'conflict')) return true
  const away = isMullionError(error, 'unavailable') || isMullionError(error, 'timeout')
  return away && error.context.store === undefined
}
