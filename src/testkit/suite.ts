import { AssertionError } from 'node:assert'
import type { AnyStore, Layer } from '../plugin.ts'
import { createStores, type StoreMap, type Stores } from '../stores.ts'
import { storeCases } from './cases/index.ts'
import { chaos, type Fault } from './chaos.ts'
import type { Harness, Runner } from './harness.ts'
import { unmet } from './needs.ts'
import { makeScene, STORE } from './scene.ts'
import type { StoreCase } from './store-case.ts'

/** Each fits within the default of three attempts of one call, even if that call meets all of them. */
const TRANSIENT: readonly Fault[] = [
  { op: 'write', after: 0 },
  { op: 'write', after: 1, atByte: 1 },
  { op: 'read', after: 0 },
]
const BROKEN_READ: Fault = { op: 'read', after: 1, atByte: 1 }

/**
 * Defines a test for each promise a store makes, then all of them again while reads and writes fail for a moment and
 * the retries of `createStores` must hide it. What the store does not offer is skipped with the reason.
 */
export function testStore({ describe, it }: Runner, harness: Harness): void {
  const define = (title: string, cases: readonly StoreCase[], transient: boolean): void => {
    describe(title, () => {
      for (const storeCase of cases) {
        it(storeCase.title, async (context) => {
          const skipped = await runCase(storeCase, harness, { transient })
          if (skipped !== undefined) context.skip(skipped)
        })
      }
    })
  }
  define(`${harness.name} store`, storeCases, false)
  define(
    `${harness.name} store, failing for a moment`,
    storeCases.filter(({ faults, once }) => !faults && once !== true),
    true,
  )
}

export interface RunOptions {
  /** Reads and writes fail for a moment. Default false. */
  readonly transient?: boolean
}

/** Runs one case. Resolves with the reason if it does not apply to the store; rejects if the promise is broken. */
export async function runCase(
  storeCase: StoreCase,
  harness: Harness,
  { transient = false }: RunOptions = {},
): Promise<string | undefined> {
  const open = storeCase.refusal ? harness.refusing?.[storeCase.refusal] : () => harness.open()
  if (!open) return `the harness has no store that refuses with ${storeCase.refusal}`
  const spec = await open()
  const faults = transient
    ? [...TRANSIENT, ...(spec.capabilities.range ? [BROKEN_READ] : [])]
    : (storeCase.faults ?? [])
  let functions: AnyStore | undefined
  const look: Layer = (next) => {
    functions = next
    return {}
  }
  const map: StoreMap = { [STORE]: spec }
  const retry = { attempts: faults.length > 0 ? 3 : 1, pause: async () => {} } // alone, the store must do without
  let stores: Stores | undefined
  try {
    stores = await createStores({ stores: map, default: STORE, layers: [chaos(faults), look], retry })
    if (!functions) throw new Error('the store was not opened')
    const scene = makeScene(stores, spec, functions, harness)
    const skipped = unmet(storeCase.needs ?? [], { functions, capabilities: spec.capabilities, harness })
    if (skipped === undefined) await storeCase.run(scene)
    await scene.soon(stores.close(), 'closing')
    return skipped
  } catch (error) {
    if (error instanceof AssertionError) error.message += `\npromise: ${storeCase.promise}`
    throw error
  } finally {
    await stopped(stores)
    await harness.close?.()
  }
}

/** Closes what a failed case left open, but does not wait for a store that hangs. */
async function stopped(stores: Stores | undefined): Promise<void> {
  const closing = stores?.close().catch(() => {})
  let timer: NodeJS.Timeout | undefined
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, 1000)
  })
  await Promise.race([closing, patience])
  clearTimeout(timer)
}
