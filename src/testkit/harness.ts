import type { AnyStore, StoreSpec } from '../plugin.ts'

/** What the kit must know of a store to test it. */
export interface Harness {
  /** Names the store in titles. */
  readonly name: string
  /** The store to test, once per case. What the backend holds already does not matter: keys are new in every case. */
  open(): StoreSpec<AnyStore> | Promise<StoreSpec<AnyStore>>
  /** Puts an object into the backend of the last `open` and answers its URI: how a read-only store gets something to read. */
  seed?(bytes: Uint8Array): Promise<string>
  /** All the backend of the last `open` really holds, partial uploads included; in any order. */
  leftovers?(): readonly string[] | Promise<readonly string[]>
  /** The same kind of store on a backend that refuses objects of 1 MiB or more, for the reason the key names. */
  readonly refusing?: { readonly [C in Refusal]?: () => StoreSpec<AnyStore> | Promise<StoreSpec<AnyStore>> }
  /** Open handles of the store. Default: open files and sockets of this process. */
  handles?(): number | Promise<number>
  /** Whether the backend of these tests can copy by itself. Default: true where the store has `copyFrom`. */
  readonly copies?: boolean
  /** Size in bytes at which the backend starts another part or segment. */
  readonly unit?: number
  /** Entries of one page of a listing. Default: what tests can fill at little cost, 30. */
  readonly page?: number
  /** How long one step may take before it counts as hanging. Default 4,000. */
  readonly patienceMs?: number
  /** Called after each case, when the store is closed. */
  close?(): void | Promise<void>
}

/** Why a backend may refuse to store. */
export type Refusal = 'storage_full' | 'permission_denied' | 'unauthenticated'

/** What a test runner hands to a test: both node:test and vitest do. */
export interface RunnerContext {
  skip(reason?: string): unknown
}

/** The two functions of a test runner that the kit needs. */
export interface Runner {
  readonly describe: (title: string, define: () => void) => unknown
  readonly it: (title: string, run: (context: RunnerContext) => Promise<void>) => unknown
}
