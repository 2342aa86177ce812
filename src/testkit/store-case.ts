import type { Fault } from './chaos.ts'
import type { Refusal } from './harness.ts'
import type { Need } from './needs.ts'
import type { Scene } from './scene.ts'

/** One promise of the contract, as a value: `run` rejects when the store breaks it. */
export interface StoreCase {
  /** A sentence about the store. */
  readonly title: string
  /** What the contract says; shown when the case fails. */
  readonly promise: string
  /** What must be there for the case to make sense. */
  readonly needs?: readonly Need[]
  /** What goes wrong on purpose. Cases without it run a second time under transient failures. */
  readonly faults?: readonly Fault[]
  /** Why the backend is to refuse; the case is skipped where the harness cannot arrange that. */
  readonly refusal?: Refusal
  /** True when the case cannot be repeated under transient failures, such as one with a source that can be read once. */
  readonly once?: boolean
  run(scene: Scene): Promise<void>
}
