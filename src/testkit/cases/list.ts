import assert from 'node:assert/strict'
import { isMullionError } from '../../errors.ts'
import type { ListedEntry, ObjectEntry } from '../../list.ts'
import { type LocationLike, revealUri } from '../../location.ts'
import { failureOf, type Scene, STORE } from '../scene.ts'
import { stallingSource } from '../sources.ts'
import type { StoreCase } from '../store-case.ts'

const LISTED = 'list tells each object once, under the location that write answered'
const DAY_MS = 86_400_000

export const listCases: readonly StoreCase[] = [
  {
    title: 'lists what was written once each, with its size and a location that reads back',
    promise: LISTED,
    needs: ['list', 'write'],
    async run(scene) {
      const sizes = [0, 1000, 70_000]
      const written: LocationLike[] = []
      for (const size of sizes) written.push((await scene.write(scene.key(), 100, size)).location)
      const found = await objects(scene)
      for (const [index, size = 0] of sizes.entries()) {
        const entry = only(found, written[index])
        if (entry.size !== undefined) assert.equal(entry.size, size, 'size of a listed object')
        assert.equal(entry.store, STORE)
        assertRecent(entry.modifiedAt)
        await scene.expectObject(entry.location, 100, size)
      }
    },
  },
  {
    title: 'lists every object, on however many pages',
    promise: `${LISTED}; none falls between two pages`,
    needs: ['list', 'write'],
    once: true,
    async run(scene) {
      const written = await writeMany(scene, scene.page + 5)
      const found = await objects(scene)
      for (const location of written) only(found, location)
    },
  },
  {
    title: 'lists no object that was deleted',
    promise: 'after remove nothing is left of the object, also in what list tells',
    needs: ['list', 'write', 'remove'],
    async run(scene) {
      const { key, write, stores } = scene
      const kept = await write(key(), 101, 500)
      const gone = await write(key(), 102, 500)
      await stores.delete(gone.location)
      const found = await objects(scene)
      only(found, kept.location)
      assert.deepEqual(found.get(revealUri(gone.location)) ?? [], [], 'an object was listed that was deleted')
    },
  },
  {
    title: 'lists no object while it is being written, nor when that failed',
    promise: 'what an unfinished write holds is no object to list',
    needs: ['list', 'write', 'atomicWrite', 'parallel'],
    async run(scene) {
      const key = scene.key()
      const bytes = Math.max(scene.unit * 2, 200_000)
      const controller = new AbortController()
      const stalled = Promise.withResolvers<void>()
      const open = (): AsyncIterable<Uint8Array> => {
        const source = stallingSource(bytes)
        void source.stalled.then(stalled.resolve)
        return source
      }
      const failing = failureOf(scene.add(key, open, bytes + 1000, { signal: controller.signal, hashes: [] }))
      await scene.soon(stalled.promise, 'the upload')
      const during = await objects(scene)
      controller.abort(new Error('enough'))
      await scene.soon(failing, 'the end of the upload')
      const after = await objects(scene)
      const uri = revealUri((await scene.write(key, 103, 300)).location)
      assert.ok(!during.has(uri), 'an object was listed whose write was under way')
      assert.ok(!after.has(uri), 'an object was listed whose write had failed')
    },
  },
  {
    title: 'lets go of a listing that is left early',
    promise: 'who leaves a listing leaves nothing open',
    needs: ['list', 'write'],
    async run(scene) {
      await writeMany(scene, 3)
      const leaveEarly = async (): Promise<void> => {
        for await (const entry of scene.stores.list(STORE)) {
          assert.ok(entry)
          break
        }
      }
      await leaveEarly() // connections that a pool keeps are no leak
      await scene.leavesNoHandle(async () => {
        for (let time = 0; time < 10; time += 1) await scene.soon(leaveEarly(), 'leaving a listing')
      })
    },
  },
  {
    title: 'ends a listing with the reason of its signal',
    promise: 'aborting ends a listing with signal.reason itself, before it begins and in the middle',
    needs: ['list', 'write'],
    async run(scene) {
      await writeMany(scene, 3)
      const reason = new Error('seen enough')
      const aborted = scene.stores.list(STORE, { signal: AbortSignal.abort(reason) })
      assert.equal(await scene.soon(failureOf(next(aborted)), 'a listing that was aborted before'), reason)
      const controller = new AbortController()
      const entries = scene.stores.list(STORE, { signal: controller.signal })[Symbol.asyncIterator]()
      assert.equal((await scene.soon(entries.next(), 'the first entry')).done, false)
      controller.abort(reason)
      assert.equal(await scene.soon(failureOf(entries.next()), 'the entry after the abort'), reason)
    },
  },
  {
    title: 'ends a listing with closed when it closes, read or not',
    promise: 'close aborts what is in flight with closed',
    needs: ['list', 'write'],
    async run(scene) {
      await writeMany(scene, 3)
      const entries = scene.stores.list(STORE)[Symbol.asyncIterator]()
      assert.equal((await scene.soon(entries.next(), 'the first entry')).done, false)
      await scene.soon(scene.stores.close(), 'closing during a listing')
      for (const pending of [entries.next(), next(scene.stores.list(STORE))]) {
        const error = await scene.soon(failureOf(pending), 'an entry after closing')
        assert.ok(isMullionError(error, 'closed'), `expected closed, got ${String(error)}`)
      }
    },
  },
  {
    title: 'refuses to list when it cannot',
    promise: 'a store without list rejects unsupported',
    needs: ['noList'],
    async run({ stores }) {
      const error = await failureOf(next(stores.list(STORE)))
      assert.ok(isMullionError(error, 'unsupported'), `expected unsupported, got ${String(error)}`)
    },
  },
]

function next(entries: AsyncIterable<ListedEntry>): Promise<IteratorResult<ListedEntry>> {
  return entries[Symbol.asyncIterator]().next()
}

/** All objects by their URIs, each as often as it was listed. Others may use the backend at the same time. */
async function objects({ stores, soon }: Scene): Promise<ReadonlyMap<string, readonly ObjectEntry[]>> {
  const found = new Map<string, ObjectEntry[]>()
  const collect = async (): Promise<void> => {
    for await (const entry of stores.list(STORE)) {
      if (entry.kind === 'partial') continue
      const uri = revealUri(entry.location)
      found.set(uri, [...(found.get(uri) ?? []), entry])
    }
  }
  await soon(collect(), 'the listing')
  return found
}

function only(found: ReadonlyMap<string, readonly ObjectEntry[]>, location: LocationLike | undefined): ObjectEntry {
  assert.ok(location)
  const [entry, ...more] = found.get(revealUri(location)) ?? []
  assert.ok(entry, 'an object was not listed under its location')
  assert.equal(more.length, 0, 'an object was listed more than once')
  return entry
}

/** Whether seconds were taken for milliseconds, say; clocks may differ. */
function assertRecent(date: Date | undefined): void {
  if (date === undefined) return
  const ageMs = Math.abs(Date.now() - date.getTime())
  assert.ok(ageMs < DAY_MS, `an object that was just written was modified at ${String(date)}`)
}

const AT_ONCE = 8

async function writeMany({ write, key }: Scene, count: number): Promise<readonly LocationLike[]> {
  const written: LocationLike[] = []
  const queue = Array.from({ length: count }, (_, index) => index).values()
  const work = async (): Promise<void> => {
    for (const index of queue) written.push((await write(key(), index, 10)).location)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return written
}
