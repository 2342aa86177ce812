import assert from 'node:assert/strict'
import { isMullionError } from '../../errors.ts'
import { failureOf, STORE } from '../scene.ts'
import type { StoreCase } from '../store-case.ts'

export const copyCases: readonly StoreCase[] = [
  {
    title: 'copies objects of any size under another key by itself',
    promise: 'copyFrom makes an object with the same bytes, and leaves the origin as it was',
    needs: ['write', 'copyFrom'],
    async run({ write, key, stores, unit, expectObject, soon }) {
      for (const size of [0, 1, 70_000, unit, unit * 2 + 1]) {
        const { location } = await write(key(), 90, size)
        const imageId = key()
        const copied = await soon(stores.copy(location, { to: STORE, imageId }), `copying ${size} bytes`)
        assert.equal(copied.way, 'native', `${size} bytes within the store`)
        assert.equal(copied.size, size)
        await expectObject(copied.location, 90, size)
        await expectObject(location, 90, size)
        await stores.delete(copied.location)
        await stores.delete(location)
      }
    },
  },
  {
    title: 'keeps a copy whole when its origin is deleted, and the other way round',
    promise: 'an object of copyFrom shares nothing with its origin that a deletion takes away',
    needs: ['write', 'remove', 'copyFrom'],
    async run({ write, key, stores, unit, expectObject }) {
      const size = Math.max(1000, unit * 2 + 1)
      const origin = await write(key(), 91, size)
      const copied = await stores.copy(origin.location, { to: STORE, imageId: key() })
      await stores.delete(origin.location)
      await expectObject(copied.location, 91, size)
      const second = await stores.copy(copied.location, { to: STORE, imageId: key() })
      await stores.delete(second.location)
      await expectObject(copied.location, 91, size)
    },
  },
  {
    title: 'refuses to copy over an object',
    promise: 'copyFrom rejects already_exists and leaves what is there untouched',
    needs: ['write', 'copyFrom'],
    async run({ write, key, stores, expectObject, leavesNothing }) {
      const origin = await write(key(), 92, 1000)
      const taken = key()
      const other = await write(taken, 93, 500)
      const error = await leavesNothing(() => stores.copy(origin.location, { to: STORE, imageId: taken }))
      assert.ok(isMullionError(error, 'already_exists'), `expected already_exists, got ${String(error)}`)
      await expectObject(other.location, 93, 500)
      await expectObject(origin.location, 92, 1000)
    },
  },
  {
    title: 'copies to exactly one place when two copies take the same key',
    promise: 'of two concurrent makers of a key, one loses with already_exists',
    needs: ['write', 'copyFrom', 'exclusiveWrite', 'parallel'],
    async run({ write, key, stores, soon, expectObject }) {
      const imageId = key()
      const origins = [await write(key(), 94, 70_000), await write(key(), 95, 70_000)]
      const copies = origins.map(({ location }) => stores.copy(location, { to: STORE, imageId }))
      const results = await soon(Promise.allSettled(copies), 'two copies under one key')
      const won = results.findIndex(({ status }) => status === 'fulfilled')
      const [first, second] = results
      const lost = first?.status === 'rejected' ? first : second
      assert.ok(won >= 0, 'neither copy succeeded')
      assert.ok(lost?.status === 'rejected', 'both copies succeeded')
      assert.ok(isMullionError(lost.reason, 'already_exists'), `the loser got ${String(lost.reason)}`)
      const winner = results[won]
      if (winner?.status === 'fulfilled') await expectObject(winner.value.location, 94 + won, 70_000)
    },
  },
  {
    title: 'answers not_found when there is nothing to copy',
    promise: 'a copy of what is not there rejects not_found and makes nothing',
    needs: ['write', 'remove', 'copyFrom'],
    async run({ write, key, stores, failsCleanly }) {
      const { location } = await write(key(), 96, 100)
      await stores.delete(location)
      const imageId = key()
      const error = await failsCleanly(imageId, () => stores.copy(location, { to: STORE, imageId }))
      assert.ok(isMullionError(error, 'not_found'), `expected not_found, got ${String(error)}`)
    },
  },
  {
    title: 'stops copying when told to, and leaves nothing',
    promise: 'an abort before the copy is announced as made leaves no object',
    needs: ['write', 'copyFrom'],
    async run({ write, key, stores, failsCleanly }) {
      const { location } = await write(key(), 97, 70_000)
      const imageId = key()
      const stop = new AbortController()
      const reason = new Error('enough')
      const copying = (): Promise<unknown> =>
        stores.copy(location, {
          to: STORE,
          imageId,
          signal: stop.signal,
          onLocation: () => stop.abort(reason),
        })
      const error = await failsCleanly(imageId, copying)
      assert.equal(error, reason)
    },
  },
  {
    title: 'copies through this process when digests are asked for, or the store cannot copy',
    promise: 'read and write of one store work at the same time',
    needs: ['write', 'parallel'],
    async run({ write, key, stores, unit, expectObject, soon }) {
      const size = Math.max(70_000, unit * 2 + 1)
      const { location } = await write(key(), 98, size)
      const copied = await soon(stores.copy(location, { to: STORE, imageId: key(), hashes: ['md5'] }), 'copying')
      assert.equal(copied.way, 'streamed')
      assert.match(copied.hashes['md5'] ?? '', /^[0-9a-f]{32}$/)
      await expectObject(copied.location, 98, size)
    },
  },
  {
    title: 'knows the key of its own locations, if it says one',
    promise: 'the codec answers the key that write was given, or none at all',
    needs: ['write'],
    async run({ write, key, spec, stores }) {
      const { location } = await write(key(), 99, 100)
      const told = spec.location.key !== undefined
      const error = await failureOf(stores.copy(location, { to: STORE }), 'a copy onto itself')
      const code = told ? 'already_exists' : 'invalid_argument'
      assert.ok(isMullionError(error, code), `expected ${code}, got ${String(error)}`)
    },
  },
]
