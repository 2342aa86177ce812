import assert from 'node:assert/strict'
import { isMullionError } from '../../errors.ts'
import { seededBytes, seededStream } from '../bytes.ts'
import { failureOf } from '../scene.ts'
import type { StoreCase } from '../store-case.ts'

/** What holds for small objects has to hold for those that a backend keeps in parts. */
export const unitCases: readonly StoreCase[] = [
  {
    title: 'cuts a chunk that is larger than its units, and joins chunks that cross them',
    promise: 'how a body is cut into chunks changes nothing',
    needs: ['write', 'unit'],
    async run({ add, key, unit, expectObject }) {
      const size = unit * 3 + 1
      const whole = await add(key(), () => once(seededBytes(70, size)), size)
      await expectObject(whole.location, 70, size)
      const crossing = await add(key(), () => seededStream(71, size, unit - 1), size)
      await expectObject(crossing.location, 71, size)
    },
  },
  {
    title: 'refuses a key that an object of several units has, with another one of several units',
    promise: 'an existing key rejects with already_exists and leaves it untouched',
    needs: ['write', 'unit'],
    async run({ write, key, unit, expectObject, leavesNothing }) {
      const size = unit * 2 + 1
      const taken = key()
      const { location } = await write(taken, 72, size)
      const error = await leavesNothing(() => write(taken, 73, size + 1))
      assert.ok(isMullionError(error, 'already_exists'), `expected already_exists, got ${String(error)}`)
      await expectObject(location, 72, size)
    },
  },
  {
    title: 'lets exactly one of two writes of several units win',
    promise: 'of two concurrent writes of a key, one loses with already_exists, whatever their size',
    needs: ['write', 'exclusiveWrite', 'parallel', 'unit'],
    async run({ write, key, unit, soon, expectObject }) {
      const contested = key()
      const size = unit * 2 + 1
      const both = [74, 75].map(async (seed) => ({ seed, ...(await write(contested, seed, size)) }))
      const results = await soon(Promise.allSettled(both), 'two writes of a key')
      const won = results.filter((result) => result.status === 'fulfilled')
      assert.equal(won.length, 1, `${won.length} of two writes of a key succeeded`)
      for (const result of results) {
        if (result.status === 'fulfilled') await expectObject(result.value.location, result.value.seed, size)
        else assert.ok(isMullionError(result.reason, 'already_exists'), `the loser got ${String(result.reason)}`)
      }
    },
  },
  {
    title: 'removes all units of an object',
    promise: 'after remove nothing is left of the object in the backend',
    needs: ['write', 'remove', 'unit'],
    async run({ write, key, unit, stores, leavesNothing }) {
      const gone = new Error('written and deleted')
      const error = await leavesNothing(async () => {
        const { location } = await write(key(), 76, unit * 2 + 1)
        await stores.delete(location)
        throw gone
      })
      assert.equal(error, gone)
    },
  },
  {
    title: 'gives different objects different etags, and the same object the same',
    promise: 'equal etags mean equal bytes',
    needs: ['write'],
    async run({ write, key, stores, unit }) {
      for (const size of [1000, unit * 2 + 1]) {
        const one = await write(key(), 77, size)
        const other = await write(key(), 78, size)
        const etags = [one, other, one].map(async ({ location }) => {
          await using got = await stores.get(location)
          return got.etag
        })
        const [first, second, again] = await Promise.all(etags)
        if (first === undefined) continue
        assert.notEqual(first, second, 'two objects of other bytes have one etag')
        if (again !== undefined) assert.equal(again, first, 'the etag of an object changed')
      }
    },
  },
  {
    title: 'tells a place that is free from one that is taken when many ask',
    promise: 'calls of different keys do not wait for each other, and none is mistaken for another',
    needs: ['write', 'remove', 'parallel'],
    async run({ write, key, stores, soon, expectObject }) {
      const keys = Array.from({ length: 12 }, () => key())
      const written = await soon(Promise.all(keys.map((each, index) => write(each, index, 100 + index))), 'writes')
      const again = keys.map((each) => failureOf(write(each, 0, 10), 'a second write'))
      for (const error of await soon(Promise.all(again), 'second writes')) {
        assert.ok(isMullionError(error, 'already_exists'), `expected already_exists, got ${String(error)}`)
      }
      await Promise.all(written.map(({ location }, index) => expectObject(location, index, 100 + index)))
      await soon(Promise.all(written.map(({ location }) => stores.delete(location))), 'deletions')
    },
  },
]

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}
