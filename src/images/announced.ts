import type { Image, ImageLocation } from './image.ts'
import type { Ports } from './ports.ts'
import { deleteData } from './remove.ts'

export type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void

/**
 * Removes the data at announced places. Resolves with the locations that stay, such as one that could not be removed. Only
 * for an image that nobody can make active meanwhile.
 */
export async function cleanAnnounced(
  ports: Pick<Ports, 'stores'>,
  { id, locations }: Pick<Image, 'id' | 'locations'>,
  log: Log = () => {},
): Promise<{ readonly locations: readonly ImageLocation[] }> {
  const kept: ImageLocation[] = []
  for (const location of locations) {
    try {
      if (location.status !== 'pending') kept.push(location)
      else if (!isUsed(location, locations)) await deleteData(ports, location)
    } catch (error) {
      kept.push(location)
      log('data of an interrupted upload could not be removed', { image: id, error: reasonOf(error) })
    }
  }
  return { locations: kept }
}

/** Whether the same place is that of data which stays. */
function isUsed({ uri }: ImageLocation, locations: readonly ImageLocation[]): boolean {
  return locations.some((other) => other.uri === uri && other.status !== 'pending')
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
