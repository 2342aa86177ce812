import assert from 'node:assert/strict'
import { isMullionError } from '../../errors.ts'
import { seededBytes } from '../bytes.ts'
import { failureOf } from '../scene.ts'
import type { StoreCase } from '../store-case.ts'

export const removeCases: readonly StoreCase[] = [
  {
    title: 'answers not_found to get, size and delete once an object is deleted',
    promise: 'read, stat and remove reject not_found for what is not there, before any byte',
    needs: ['write', 'remove'],
    async run({ write, key, stores, soon }) {
      const { location } = await write(key(), 30, 1000)
      await stores.delete(location)
      const attempts = {
        get: () => stores.get(location),
        getSizeFromBackend: () => stores.getSizeFromBackend(location),
        delete: () => stores.delete(location),
      }
      for (const [verb, attempt] of Object.entries(attempts)) {
        const error = await soon(failureOf(attempt(), verb), verb)
        assert.ok(isMullionError(error, 'not_found'), `${verb}: expected not_found, got ${String(error)}`)
      }
    },
  },
  {
    title: 'leaves other objects alone when one is deleted',
    promise: 'remove deletes one object',
    needs: ['write', 'remove'],
    async run({ write, key, stores, expectObject }) {
      const name = key()
      const kept = await write(`${name}.kept`, 31, 500)
      const gone = await write(name, 32, 500)
      await stores.delete(gone.location)
      await expectObject(kept.location, 31, 500)
    },
  },
  {
    title: 'takes a key again after its object was deleted',
    promise: 'after remove nothing is left of the object, its key included',
    needs: ['write', 'remove'],
    async run(scene) {
      const key = scene.key()
      const first = await scene.write(key, 33, 70_000)
      await scene.stores.delete(first.location)
      const second = await scene.write(key, 34, 500)
      await scene.expectObject(second.location, 34, 500)
    },
  },
  {
    title: 'never gives wrong bytes to a reader whose object is deleted meanwhile',
    promise: 'such a reader gets all bytes or an error: never other bytes, never an early end',
    needs: ['write', 'remove', 'parallel'],
    async run({ write, key, stores, soon }) {
      const size = 5 * 1024 * 1024
      const { location } = await write(key(), 35, size)
      const { body } = await stores.get(location)
      const first = await soon(body.next(), 'the first chunk')
      assert.ok(first.value)
      const deleted = await soon(outcome(stores.delete(location)), 'the deletion')
      assert.ok(deleted === undefined || isMullionError(deleted, 'in_use'), `delete: ${String(deleted)}`)
      let count = first.value.byteLength
      const failed = await soon(outcome(rest()), 'the reader')
      if (failed === undefined) assert.equal(count, size, 'the body ended early without an error')
      else assert.ok(isMullionError(failed), 'expected an error of mullion')

      async function rest(): Promise<void> {
        for await (const chunk of body) {
          assert.equal(
            Buffer.compare(chunk, seededBytes(35, chunk.byteLength, count)),
            0,
            `wrong bytes after byte ${count}`,
          )
          count += chunk.byteLength
        }
      }
    },
  },
  {
    title: 'refuses to delete when it cannot',
    promise: 'a store without remove rejects unsupported',
    needs: ['content', 'noRemove'],
    async run({ put, stores, expectObject }) {
      const location = await put(36, 100)
      const error = await failureOf(stores.delete(location))
      assert.ok(isMullionError(error, 'unsupported'), `expected unsupported, got ${String(error)}`)
      await expectObject(location, 36, 100)
    },
  },
]

/** What it rejects with; undefined when it resolves. A failed assertion is thrown. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
    return undefined
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error
    return error
  }
}
