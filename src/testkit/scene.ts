import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import type { AddOptions, AddResult } from '../add-options.ts'
import type { LocationLike } from '../location.ts'
import type { AnyStore, StoreSpec } from '../plugin.ts'
import type { ByteSource } from '../source.ts'
import type { Capabilities } from '../store.ts'
import type { Stores } from '../stores.ts'
import { assertSeeded, seededBytes, seededStream } from './bytes.ts'
import type { Harness } from './harness.ts'

/** The name of the store under test in `createStores`. */
export const STORE = 'tested'

/** An opened store and what cases do with it again and again. */
export interface Scene {
  readonly stores: Stores
  readonly spec: StoreSpec<AnyStore>
  readonly capabilities: Capabilities
  /** Bytes; 0 where the harness states none. */
  readonly unit: number
  /** Entries of one page of a listing. */
  readonly page: number
  /** A key nothing was stored under. */
  readonly key: () => string
  /** Adds a source of `size` bytes; the size is announced only to a store that needs it. */
  readonly add: (key: string, source: ByteSource, size: number, options?: AddOptions) => Promise<AddResult>
  /** An object of `size` seeded bytes, written or seeded. */
  readonly put: (seed: number, size: number) => Promise<LocationLike>
  /** Adds seeded bytes as a replayable stream of unknown size. */
  readonly write: (key: string, seed: number, size: number) => Promise<AddResult>
  /** Reads the whole object and compares. */
  readonly expectObject: (location: LocationLike, seed: number, size: number) => Promise<void>
  /** The promise, or a failed assertion when it hangs. */
  readonly soon: <T>(promise: Promise<T>, what: string) => Promise<T>
  /** Runs a write that must fail, answers its error, and asserts that the backend holds what it held before. */
  readonly leavesNothing: (write: () => Promise<unknown>) => Promise<unknown>
  /** The same for a write of `key`, which must be free again. */
  readonly failsCleanly: (key: string, write: () => Promise<unknown>) => Promise<unknown>
  /** Runs `use` and asserts that no handle stays open after it. */
  readonly leavesNoHandle: (use: () => Promise<void>) => Promise<void>
}

export function makeScene(stores: Stores, spec: StoreSpec<AnyStore>, functions: AnyStore, harness: Harness): Scene {
  const { capabilities } = spec
  const patienceMs = harness.patienceMs ?? 4000
  const soon: Scene['soon'] = (promise, what) => orHangs(promise, patienceMs, what)

  const scene: Scene = {
    stores,
    spec,
    capabilities,
    unit: harness.unit ?? 0,
    page: harness.page ?? 30,
    key: () => `kit-${randomUUID()}`,
    add: (key, source, size, options) =>
      stores.add(key, source, capabilities.needsSize ? { size, ...options } : options),
    async put(seed, size) {
      if (functions.write) return (await scene.write(scene.key(), seed, size)).location
      assert.ok(harness.seed)
      return harness.seed(seededBytes(seed, size))
    },
    write: (key, seed, size) => scene.add(key, () => seededStream(seed, size), size, { hashes: [] }),
    async expectObject(location, seed, size) {
      await using got = await stores.get(location)
      if (got.size !== undefined) assert.equal(got.size, size, 'size of the answer')
      await assertSeeded(got.body, { seed, length: size })
    },
    soon,
    async leavesNothing(write) {
      const before = await listed(harness)
      const error = await soon(failureOf(write(), 'the write'), 'the failing write')
      assert.deepEqual(await listed(harness), before, 'the failed write left something in the backend')
      return error
    },
    async failsCleanly(key, write) {
      const error = await scene.leavesNothing(write)
      const { location } = await scene.write(key, 2, 300).catch((cause: unknown) => {
        throw new assert.AssertionError({ message: `the key of a failed write cannot be used again: ${String(cause)}` })
      })
      await scene.expectObject(location, 2, 300)
      return error
    },
    async leavesNoHandle(use) {
      const before = await handles(harness)
      await use()
      await eventually(async () => (await handles(harness)) - before, patienceMs)
    },
  }
  return scene
}

/** What `call` rejects with. Resolving fails. */
export async function failureOf(call: Promise<unknown>, what = 'the call'): Promise<unknown> {
  let value: unknown
  try {
    value = await call
  } catch (error) {
    return error
  }
  throw new assert.AssertionError({ message: `${what} was expected to fail, but succeeded`, actual: value })
}

async function listed(harness: Harness): Promise<readonly string[]> {
  return [...((await harness.leftovers?.()) ?? [])].toSorted()
}

/** Connections that a pool keeps are no leak: cases warm up first. */
async function handles(harness: Harness): Promise<number> {
  if (harness.handles) return harness.handles()
  const sockets = process
    .getActiveResourcesInfo()
    .filter((name) => /Socket|Pipe|TCP|FSReq|FileHandle/.test(name)).length
  const files = await readdir('/proc/self/fd').catch(() => [])
  return sockets + files.length
}

/** Closing is asynchronous: waits until no more than a few handles of others are left. */
async function eventually(surplus: () => Promise<number>, patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs
  let open = await surplus()
  while (open > TOLERATED && performance.now() < until) {
    await new Promise((resolve) => {
      setTimeout(resolve, 10)
    })
    open = await surplus()
  }
  assert.ok(open <= TOLERATED, `${open} more handles are open than before`)
}

/** Handles that the runner, or another test of the process, may have opened meanwhile. */
const TOLERATED = 3

function orHangs<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new assert.AssertionError({ message: `${what} did not settle within ${ms} ms` }))
    }, ms)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
