import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import {
  type AddOptions,
  type AnyStore,
  createStores,
  isMullionError,
  type Location,
  type StoreMap,
  type Stores,
  type StoreSpec,
} from 'mullion'
import { assertSeeded, seededBytes, seededStream } from 'mullion/testkit'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Cut } from './fault-proxy.mjs'
import { type RemoteFaultProxy, startFaultProxy } from './fault-process.ts'

/** A store on a real server, for `testFaults`. */
export interface FaultTarget {
  readonly name: string
  /** Of the server, on 127.0.0.1. */
  readonly port: number
  /** The store with its server at 127.0.0.1:`port`; timeouts of a second or two, parts as small as may be. */
  open(port: number): StoreSpec<AnyStore> | Promise<StoreSpec<AnyStore>>
  /** All the backend holds, partial uploads included, as a tool of the service lists it: not through the proxy. */
  leftovers(): Promise<readonly string[]>
  /** Bytes of an object that takes at least three parts. */
  readonly size: number
  /** The same store with credentials that the server refuses. */
  refused?(port: number): StoreSpec<AnyStore> | Promise<StoreSpec<AnyStore>>
  /** Removes what an upload leaves whose server went away, as a later start of the store would. Default: does nothing. */
  sweep?(): Promise<void>
}

const CUTS: readonly Cut[] = ['reset', 'fin', 'stall']
const LIMITS = { retry: { baseMs: 10, maxMs: 50 }, idleTimeoutMs: 3000 }
const PLAIN: AddOptions = { hashes: [] }

/**
 * Breaks connections at the beginning, in the middle and at the last byte of `add` and of `get`, in each way a network
 * knows. Afterwards either all is as if nothing had happened, or the error says what did and nothing is left: no object,
 * no part of one, no socket and no timer. What failed for the network alone works when it is tried again.
 */
export function testFaults(target: FaultTarget): void {
  const { name, port, size, leftovers } = target
  const positions = { 'the first byte': 0, 'the middle': Math.floor(size / 2), 'the last byte': size - 1 }

  describe(`${name} on a bad network`, () => {
    let proxy: RemoteFaultProxy
    beforeAll(async () => {
      proxy = await startFaultProxy(port)
    })
    afterAll(() => proxy.close())

    const gone = async (): Promise<void> => {
      await proxy.set({ refuse: true })
      await proxy.cut()
    }
    const using = (use: (stores: Opened) => Promise<void>): Promise<void> => usingStore(proxy, target, use)

    for (const [where, at] of Object.entries(positions)) {
      for (const how of CUTS) {
        it(`add survives or cleans up when connections end before ${where}: ${how}`, () =>
          using(async (stores) => {
            await stores.warmUp()
            await stores.addOrNothing(breaking(size, at, () => proxy.cut(how)))
          }))
        it(`get resumes or fails honestly when connections end at ${where}: ${how}`, () =>
          using(async (stores) => {
            const location = await stores.put()
            await stores.warmUp()
            const { cut } = await proxy.stats()
            await proxy.set({ cutDown: at + 1, how, times: 1 })
            await stores.readOrFail(location)
            assert.ok((await proxy.stats()).cut > cut, 'no connection was cut')
          }))
      }
      it(`add fails with unavailable or timeout when the server goes away before ${where}`, () =>
        using(async (stores) => {
          const key = randomUUID()
          await stores.warmUp()
          const error = await failure(stores.add(key, breaking(size, at, gone)))
          assertNetworkError(error)
          await proxy.set({})
          await stores.warmUp()
          await target.sweep?.()
          await stores.leavesNothing()
          await stores.works(key)
        }))
    }

    it('get fails with unavailable or timeout when the server goes away in the middle', () =>
      using(async (stores) => {
        const location = await stores.put()
        await proxy.set({ down: size }) // slow enough for half of it not to be on its way already
        assertNetworkError(await failure(stores.readUntil(location, size / 2, gone)))
        await proxy.set({})
        await stores.read(location)
      }))
    it('add survives or cleans up when the answer to the last byte is lost', () =>
      using(async (stores) => {
        await stores.warmUp()
        await stores.addOrNothing(breaking(size, size, () => proxy.set({ cutDown: 1, times: 1 })))
      }))
    it('add and get go on at the pace of a slow network', () =>
      using(async (stores) => {
        await proxy.set({ up: size * 2, down: size * 2, latency: 5, jitter: 10 })
        await stores.works(randomUUID())
      }))
    it('waits for a server that comes back', () =>
      using(async (stores) => {
        const location = await stores.put()
        await gone()
        assertNetworkError(await failure(stores.read(location)))
        await proxy.set({})
        await stores.read(location)
        await stores.works(randomUUID())
      }))
    const { refused } = target
    if (refused) {
      it('wrong credentials are told as such, at once, and leave nothing', () =>
        usingStore(proxy, { ...target, open: refused }, async (stores) => {
          const error = await failure(stores.add(randomUUID(), seededStream(1, size)))
          assert.ok(
            isMullionError(error, 'unauthenticated') || isMullionError(error, 'permission_denied'),
            `expected unauthenticated or permission_denied, got ${String(error)}`,
          )
          assert.equal(error.retryable, false)
          await stores.leavesNothing()
        }))
    }

    it('lists what the store holds, or the other cases prove nothing', () =>
      using(async (stores) => {
        const before = await leftovers()
        const location = await stores.put()
        assert.ok((await leftovers()).length > before.length, 'an object that was added is not listed')
        await stores.stores.delete(location)
      }))
  })
}

interface Opened {
  readonly stores: Stores
  /** Has the store open its connections. */
  warmUp(): Promise<void>
  add(key: string, source: AsyncIterable<Uint8Array>): Promise<Location>
  /** Adds seeded bytes; they are removed when the case is over. */
  put(): Promise<Location>
  read(location: Location): Promise<void>
  /** Reads to the end; `then` is called when `bytes` were read. */
  readUntil(location: Location, bytes: number, then: () => unknown): Promise<void>
  readOrFail(location: Location): Promise<void>
  /** Adds: either the object is whole, or the error is the network's and nothing is left. */
  addOrNothing(source: AsyncIterable<Uint8Array>): Promise<void>
  leavesNothing(): Promise<void>
  /** Adds, reads and deletes. */
  works(key: string): Promise<void>
}

async function usingStore(proxy: RemoteFaultProxy, target: FaultTarget, use: (opened: Opened) => Promise<void>) {
  await proxy.set({})
  const before = await target.leftovers()
  const resources = active()
  const specs: StoreMap = { tested: await target.open(proxy.port) }
  const stores = await createStores({ stores: specs, default: 'tested', ...LIMITS })
  try {
    await use(opened(stores, target, before, proxy))
  } finally {
    await proxy.set({})
    await stores.close()
  }
  await settled(() => surplus(resources, active()))
  await proxy.cut() // whoever still waits there
}

function opened(
  stores: Opened['stores'],
  { size, leftovers }: FaultTarget,
  before: readonly string[],
  proxy: RemoteFaultProxy,
): Opened {
  const self: Opened = {
    stores,
    async warmUp() {
      const location = await self.add(`warm-${randomUUID()}`, seededStream(1, 10))
      await stores.delete(location)
    },
    add: async (key, source) => (await stores.add(key, source, PLAIN)).location,
    put: () => self.add(randomUUID(), seededStream(1, size)),
    read: (location) => self.readUntil(location, 0, () => {}),
    async readUntil(location, bytes, then) {
      await using got = await stores.get(location)
      const watched = async function* (): AsyncGenerator<Uint8Array> {
        let count = 0
        for await (const chunk of got.body) {
          const due = count < bytes && count + chunk.byteLength >= bytes
          count += chunk.byteLength
          if (due) await then()
          yield chunk
        }
      }
      await assertSeeded(watched(), { seed: 1, length: size })
    },
    async readOrFail(location) {
      await self.read(location).catch(assertNetworkError)
      await proxy.set({})
      await self.read(location)
    },
    async addOrNothing(source) {
      const key = randomUUID()
      const done = await self.add(key, source).then(
        (location) => ({ location }),
        (error: unknown) => ({ error }),
      )
      await proxy.set({})
      if ('location' in done) {
        await self.read(done.location)
        await stores.delete(done.location)
      } else assertNetworkError(done.error)
      await self.leavesNothing()
      await self.works(key)
    },
    async leavesNothing() {
      assert.deepEqual([...(await leftovers())].toSorted(), [...before].toSorted(), 'something is left in the backend')
    },
    async works(key) {
      const location = await self.add(key, seededStream(1, size))
      await self.read(location)
      await stores.delete(location)
    },
  }
  return self
}

/** Seeded bytes; `fault` strikes when `at` of them were taken, and the rest follow. */
async function* breaking(size: number, at: number, fault: () => unknown): AsyncGenerator<Uint8Array> {
  yield* seededStream(1, at)
  await fault()
  const chunk = 64 * 1024
  for (let offset = at; offset < size; offset += chunk) yield seededBytes(1, Math.min(chunk, size - offset), offset)
}

function assertNetworkError(error: unknown): void {
  assert.ok(
    isMullionError(error, 'unavailable') || isMullionError(error, 'timeout'),
    `expected unavailable or timeout, got ${String(error)}`,
  )
}

async function failure(call: Promise<unknown>): Promise<unknown> {
  const outcome = await call.then(
    () => ({ resolved: true }),
    (error: unknown) => ({ error }),
  )
  if ('error' in outcome) return outcome.error
  return assert.fail('the call was expected to fail, but succeeded')
}

/** What keeps the process alive, counted by kind. */
function active(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  return counts
}

function surplus(before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): string {
  const watched = [...now].filter(([kind]) => /TCP|Socket|Pipe|FileHandle|Process|Timeout/.test(kind))
  const more = watched.filter(([kind, count]) => count > (before.get(kind) ?? 0))
  return more.map(([kind, count]) => `${count - (before.get(kind) ?? 0)} ${kind}`).join(', ')
}

/** Closing is asynchronous: waits two seconds for what is left to go. */
async function settled(left: () => string): Promise<void> {
  const until = performance.now() + 2000
  while (left() !== '' && performance.now() < until) {
    await new Promise((resolve) => {
      setTimeout(resolve, 20).unref()
    })
  }
  assert.equal(left(), '', 'still open after close')
}
