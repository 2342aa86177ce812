import assert from 'node:assert/strict'
import { isMullionError } from '../../errors.ts'
import { failureOf } from '../scene.ts'
import { stallingSource } from '../sources.ts'
import type { StoreCase } from '../store-case.ts'

const ACLS = { public: false, readers: ['reader'], writers: [] } as const

export const lifecycleCases: readonly StoreCase[] = [
  {
    title: 'closes twice, and answers closed to everything after',
    promise: 'close is called once however often the caller closes; later calls reject closed',
    needs: ['content'],
    async run({ put, write, key, stores, soon }) {
      const location = await put(80, 100)
      await soon(stores.close(), 'closing')
      await soon(stores.close(), 'closing again')
      const attempts = {
        get: () => stores.get(location),
        getSizeFromBackend: () => stores.getSizeFromBackend(location),
        delete: () => stores.delete(location),
        add: () => write(key(), 81, 100),
      }
      for (const [verb, attempt] of Object.entries(attempts)) {
        const error = await soon(failureOf(attempt(), verb), verb)
        assert.ok(isMullionError(error, 'closed'), `${verb}: expected closed, got ${String(error)}`)
      }
    },
  },
  {
    title: 'ends a body that is being read with closed when it closes',
    promise: 'close aborts what is in flight with closed',
    needs: ['content'],
    async run({ put, stores, soon }) {
      const location = await put(82, 1_000_000)
      const { body } = await stores.get(location)
      await soon(body.next(), 'the first chunk')
      const closing = stores.close()
      const error = await soon(failureOf(body.next()), 'the chunk after closing')
      assert.ok(isMullionError(error, 'closed'), `expected closed, got ${String(error)}`)
      await soon(closing, 'closing')
    },
  },
  {
    title: 'closes although a body was handed out that nobody reads',
    promise: 'close aborts what is in flight, bodies included',
    needs: ['content'],
    async run({ put, stores, soon }) {
      const location = await put(83, 1_000_000)
      await stores.get(location)
      await soon(stores.close(), 'closing with an unread body')
    },
  },
  {
    title: 'ends an upload with closed when it closes',
    promise: 'close aborts what is in flight with closed, and leaves nothing of it',
    needs: ['write'],
    async run({ add, key, stores, soon }) {
      let stalled: Promise<void> | undefined
      const reached = new Promise<void>((resolve) => {
        stalled = undefined
        const open = (): AsyncIterable<Uint8Array> => {
          const source = stallingSource(70_000)
          void source.stalled.then(resolve)
          return source
        }
        stalled = failureOf(add(key(), open, 100_000)).then((error) => {
          assert.ok(isMullionError(error, 'closed'), `expected closed, got ${String(error)}`)
        })
      })
      await soon(reached, 'the upload')
      await soon(stores.close(), 'closing during an upload')
      await stalled
    },
  },
  {
    title: 'pushes access lists to an object that is there',
    promise: 'setAcls replaces who may read and write',
    needs: ['content', 'setAcls'],
    async run({ put, stores, soon, expectObject }) {
      const location = await put(84, 100)
      await soon(stores.setAcls(location, ACLS), 'setAcls')
      await soon(stores.setAcls(location, { ...ACLS, public: true }), 'setAcls')
      await expectObject(location, 84, 100)
    },
  },
  {
    title: 'refuses access lists when it has none',
    promise: 'a store without setAcls rejects unsupported',
    needs: ['content', 'noAcls'],
    async run({ put, stores }) {
      const location = await put(85, 100)
      const error = await failureOf(stores.setAcls(location, ACLS))
      assert.ok(isMullionError(error, 'unsupported'), `expected unsupported, got ${String(error)}`)
    },
  },
  {
    title: 'refuses to add when it is read-only',
    promise: 'a store without write rejects unsupported',
    needs: ['noWrite'],
    async run({ write, key }) {
      const error = await failureOf(write(key(), 86, 100))
      assert.ok(isMullionError(error, 'unsupported'), `expected unsupported, got ${String(error)}`)
    },
  },
]
