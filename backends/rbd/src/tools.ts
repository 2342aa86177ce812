import { type StoreEnv, type KeyedTurns, MullionError, orAborted } from 'mullion'
import type { RbdSettings } from './config.ts'
import type { Connection, Session } from './connection.ts'
import type { Leftovers } from './leftovers.ts'
import { rbdLocation, type RbdLocation } from './location.ts'

/** What the functions of a store share. */
export interface Tools {
  readonly settings: RbdSettings
  readonly connection: Connection
  readonly env: StoreEnv
  readonly leftovers: Leftovers
  /** Publishing of one key at a time, so that who lost the race does not announce the place of the winner. */
  readonly inTurn: KeyedTurns
}

/** A connected process, or the reason of the signal. */
export function sessionOf({ connection }: Pick<Tools, 'connection'>, signal: AbortSignal): Promise<Session> {
  return orAborted(connection.session(), signal)
}

/** As `sessionOf`. Rejects `invalid_location` for what lies in another cluster, which nobody knew before it was connected. */
export async function sessionAt(
  tools: Pick<Tools, 'connection'>,
  location: RbdLocation,
  signal: AbortSignal,
): Promise<Session> {
  const session = await sessionOf(tools, signal)
  const { at } = location
  if (!at || at.fsid.toLowerCase() === session.fsid) return session
  const reason = `lies in another cluster than ${session.fsid}`
  throw new MullionError('invalid_location', `rbd store: ${rbdLocation.format(location)}: ${reason}`, {
    details: { reason },
  })
}

/** The image and snapshot to ask librbd for. */
export function namesOf(
  { connection: { place } }: Pick<Tools, 'connection'>,
  { image, at }: RbdLocation,
): {
  readonly pool: string
  readonly namespace?: string | undefined
  readonly image: string
  readonly snapshot?: string
} {
  return { ...place, image, ...(at && { snapshot: at.snapshot }) }
}
