import { isMullionError, MullionError } from '../errors.ts'
import { keyedTurns } from '../turns.ts'
import type { Image } from './image.ts'
import type { Ports } from './ports.ts'

/** What the owner of an image may still store, in bytes; undefined without a limit. */
export type Room = number | undefined

/** Bytes left to the owner beside this image. Images without an owner are not limited. */
export async function roomFor(
  { images }: Pick<Ports, 'images'>,
  { id, owner }: Image,
  quota: number | undefined,
): Promise<Room> {
  if (quota === undefined || owner === undefined) return undefined
  return Math.max(0, quota - (await images.usage(owner, { except: id })))
}

/** Throws `quota_exceeded` when so many bytes do not fit. */
export function assertFits(id: string, size: number | undefined, room: Room): void {
  if (size === undefined || room === undefined || size <= room) return
  throw new MullionError('quota_exceeded', `image ${id}: ${size} bytes, ${room} remain of the owner's quota`, {
    details: { size, remaining: room },
    context: { imageId: id },
  })
}

/** The error of a stream that was cut where the room ended, told as what it is. */
export function asQuota(id: string, error: unknown, room: Room): unknown {
  if (room === undefined || !isMullionError(error, 'too_large') || error.details.limit !== room) return error
  return new MullionError(
    'quota_exceeded',
    `image ${id}: more bytes than the ${room} that remain of the owner's quota`,
    {
      details: { size: room + 1, remaining: room },
      context: { imageId: id },
      cause: error,
    },
  )
}

/**
 * Uploads of one owner end one after the other in this process: what one adds, the next counts. Of several processes each
 * may exceed the quota by the upload that it ends at that moment.
 */
export const inTurnOfOwner: ReturnType<typeof keyedTurns> = keyedTurns()

/** Throws `quota_exceeded` when an image with so many members may have none more. */
export function assertRoom(imageId: string, members: number, limit: number | undefined): void {
  if (limit === undefined || members < limit) return
  const message = `image ${imageId}: ${members + 1} members, at most ${limit} are allowed`
  throw new MullionError('quota_exceeded', message, {
    details: { size: members + 1, remaining: limit - members },
    context: { imageId },
  })
}
