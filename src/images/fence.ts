import { isMullionError } from '../errors.ts'
import type { Image } from './image.ts'
import type { Ports } from './ports.ts'
import { fenceToken } from './tasks.ts'

/**
 * Takes an image from its writer, so that nothing that writer still sends, or sent and got no answer to, can make it
 * active. Only then may its data be removed. Undefined when the image is no longer what it was.
 */
export async function fence(
  { images }: Pick<Ports, 'images'>,
  { id, status, writer }: Pick<Image, 'id' | 'status' | 'writer'>,
): Promise<Image | undefined> {
  try {
    return await images.update(id, { writer: fenceToken(writer) }, { status: [status], writer })
  } catch (error) {
    if (isMullionError(error, 'conflict')) return undefined
    throw error
  }
}
