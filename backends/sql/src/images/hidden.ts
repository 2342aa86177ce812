import type { ImageLocation, LocationStatus } from 'mullion/images'
import { invalidArgument } from '../values.ts'

/** No store serves the scheme: nothing can be read or deleted there. */
const HIDDEN = 'sealed:unreadable'

/** Stands in a list for a location that does not open. Each has a URI of its own, as two places are not one. */
export function hiddenLocation(status: LocationStatus, index: number): ImageLocation {
  return { uri: `${HIDDEN}#${index + 1}`, metadata: {}, status }
}

/** Throws `invalid_argument` for a location out of a list that would take the place of the real one. */
export function refuseHidden(locations: readonly ImageLocation[]): void {
  if (!locations.some(({ uri }) => uri.startsWith(HIDDEN))) return
  throw invalidArgument('locations', `"${HIDDEN}" stands for a location that could not be read, and is none`)
}
