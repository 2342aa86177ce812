import { type StoreEnv, type KeyedTurns, orAborted } from 'mullion'
import type { RbdSettings } from './config.ts'
import type { Connection, Session } from './connection.ts'
import type { Leftovers } from './leftovers.ts'
import type { RbdLocation } from './location.ts'

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
