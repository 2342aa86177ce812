import { type StoreEnv, type KeyedTurns } from 'mullion'
import type { Settings } from './config.ts'
import type { Disk } from './disk.ts'
import type { ProcessIdentity } from './process.ts'

/** What every write of one opened store shares. */
export interface WriteTools {
  readonly disk: Disk
  readonly settings: Settings
  readonly self: ProcessIdentity
  readonly log: StoreEnv['log']
  readonly inTurn: KeyedTurns
}
