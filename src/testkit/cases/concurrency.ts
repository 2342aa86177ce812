import assert from 'node:assert/strict'
import { isMullionError } from '../../errors.ts'
import { seededBytes } from '../bytes.ts'
import { failureOf } from '../scene.ts'
import type { StoreCase } from '../store-case.ts'

export const concurrencyCases: readonly StoreCase[] = [
  {
    title: 'lets exactly one of two writes of a key win, with its bytes whole',
    promise: 'of two concurrent writes of a key, one loses with already_exists',
    needs: ['write', 'exclusiveWrite', 'parallel'],
    async run(scene) {
      const key = scene.key()
      const size = 300_000
      const both = barrier(2)
      const attempts = [60, 61].map((seed) =>
        scene
          .add(key, () => meeting(seed, size, both), size)
          .then(
            ({ location }) => ({ seed, location }),
            (error: unknown) => ({ seed, error }),
          ),
      )
      const results = await scene.soon(Promise.all(attempts), 'two writes of a key')
      const winners = results.filter((result) => 'location' in result)
      assert.equal(winners.length, 1, `${winners.length} of two writes of a key succeeded`)
      for (const result of results) {
        if ('location' in result) await scene.expectObject(result.location, result.seed, size)
        else assert.ok(isMullionError(result.error, 'already_exists'), `the loser got ${String(result.error)}`)
      }
    },
  },
  {
    title: 'shows nothing of an object before it is complete',
    promise: 'with atomicWrite nothing is visible before the write is complete',
    needs: ['write', 'remove', 'atomicWrite', 'parallel'],
    async run(scene) {
      const { stores, soon } = scene
      const key = scene.key()
      const { location } = await scene.write(key, 62, 100)
      await stores.delete(location)
      const size = Math.max(300_000, scene.unit * 2 + 1)
      const seen: unknown[] = []
      async function* watched(): AsyncGenerator<Uint8Array> {
        const half = Math.floor(size / 2)
        yield seededBytes(62, half)
        await new Promise((resolve) => {
          setTimeout(resolve, 20)
        })
        seen.push(await soon(failureOf(stores.get(location), 'a read during a write'), 'a read during a write'))
        yield seededBytes(62, size - half, half)
      }
      const written = await scene.add(key, watched, size)
      assert.ok(seen.length > 0)
      for (const error of seen) assert.ok(isMullionError(error, 'not_found'), `a read during a write: ${String(error)}`)
      await scene.expectObject(written.location, 62, size)
    },
  },
  {
    title: 'keeps objects apart that are written at the same time',
    promise: 'writes of different keys do not disturb each other',
    needs: ['write'],
    async run(scene) {
      const seeds = [63, 64, 65, 66, 67, 68]
      const written = await Promise.all(seeds.map((seed) => scene.write(scene.key(), seed, 50_000 + seed)))
      await Promise.all(written.map(({ location }, index) => scene.expectObject(location, 63 + index, 50_063 + index)))
    },
  },
  {
    title: 'serves readers of one object at the same time',
    promise: 'readers do not disturb each other',
    needs: ['content'],
    async run({ put, expectObject }) {
      const location = await put(69, 400_000)
      await Promise.all([1, 2, 3, 4].map(() => expectObject(location, 69, 400_000)))
    },
  },
  {
    title: 'serves one reader while another has left',
    promise: 'readers do not disturb each other',
    needs: ['content', 'parallel'],
    async run({ put, stores, expectObject }) {
      const location = await put(70, 400_000)
      const left = await stores.get(location)
      await left.body.next()
      const reading = expectObject(location, 70, 400_000)
      await left[Symbol.asyncDispose]()
      await reading
    },
  },
]

/** Resolves for all once `count` have arrived, or soon after the first: a store may refuse the second unread. */
function barrier(count: number): () => Promise<void> {
  let arrived = 0
  let open: (() => void) | undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return () => {
    arrived += 1
    if (arrived === count) open?.()
    else setTimeout(() => open?.(), 50)
    return opened
  }
}

async function* meeting(seed: number, size: number, meet: () => Promise<void>): AsyncGenerator<Uint8Array> {
  const half = Math.floor(size / 2)
  yield seededBytes(seed, half)
  await meet()
  yield seededBytes(seed, size - half, half)
}
