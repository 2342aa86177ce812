import type { Ports } from 'mullion/images'
import type { Stores } from 'mullion'
import type { Say } from '../command.ts'
import type { OpenedStores } from '../open.ts'

/** What `doctor` may find. The codes are stable: docs/command-line.md describes each. */
export type FindingCode =
  | 'data-missing'
  | 'data-size'
  | 'data-unchecked'
  | 'location-unserved'
  | 'record-unreadable'
  | 'store-unopened'
  | 'store-unlisted'
  | 'data-orphaned'
  | 'partial-stale'
  | 'announced-stale'
  | 'image-stalled'
  | 'task-stalled'
  | 'task-orphaned'
  | 'delete-overdue'

/** Those that `--fix` may repair. Images without data are none of them: what is gone does not come back by forgetting it. */
export const REPAIRABLE: readonly FindingCode[] = [
  'data-orphaned',
  'partial-stale',
  'announced-stale',
  'image-stalled',
  'task-stalled',
  'task-orphaned',
  'delete-overdue',
]

export interface Finding {
  readonly code: FindingCode
  readonly image?: string | undefined
  readonly task?: string | undefined
  readonly store?: string | undefined
  /** Redacted. */
  readonly location?: string | undefined
  /** What the backend calls it. */
  readonly name?: string | undefined
  /** Bytes. */
  readonly size?: number | undefined
  readonly detail: string
}

/** Looks once more and repairs. Answers why it did not, when it did not. */
export type Repair = () => Promise<string | undefined>

/** A run of `doctor`. */
export interface Diagnosis {
  readonly ports: Ports
  readonly stores: Stores
  readonly specs: OpenedStores['specs']
  readonly failed: OpenedStores['failed']
  /** The names of the stores that were asked for. */
  readonly wanted: ReadonlySet<string>
  /** Whether the operator named this class, instead of all that are safe. */
  readonly named: (code: FindingCode) => boolean
  /** Whether the operator named the stores. */
  readonly storesNamed: boolean
  readonly startedAt: Date
  /** What changed within this time may be under way. */
  readonly graceMs: number
  readonly partialAgeMs: number
  /** How long deleted images may keep their data. */
  readonly scrubMs: number
  readonly lanes: number
  readonly signal: AbortSignal
  readonly report: (finding: Finding, repair?: Repair) => Promise<void>
  readonly say: Say
  readonly progress: (text: () => string) => void
}

export function isYoung({ startedAt, graceMs }: Diagnosis, time: Date): boolean {
  return time.getTime() > startedAt.getTime() - graceMs
}
