import assert from 'node:assert/strict'
import { isMullionError } from '../../errors.ts'
import { seededStream } from '../bytes.ts'
import { failureOf, type Scene } from '../scene.ts'
import { stallingSource } from '../sources.ts'
import type { StoreCase } from '../store-case.ts'

const MIB = 1024 * 1024
const REASON = 'aborting rejects with signal.reason itself, once what was written is gone'

export const abortCases: readonly StoreCase[] = [
  {
    title: 'stores nothing when the signal is aborted from the start',
    promise: REASON,
    needs: ['write'],
    async run(scene) {
      const reason = new Error('changed my mind')
      const key = scene.key()
      const signal = AbortSignal.abort(reason)
      const source = (): AsyncIterable<Uint8Array> => seededStream(50, 1000)
      const error = await scene.failsCleanly(key, () => scene.add(key, source, 1000, { signal }))
      assert.equal(error, reason)
    },
  },
  {
    title: 'leaves nothing when aborted in the middle',
    promise: REASON,
    needs: ['write'],
    async run(scene) {
      await aborted(scene, 5 * MIB, 200_000)
    },
  },
  {
    title: 'leaves nothing when aborted after several units',
    promise: REASON,
    needs: ['write', 'unit'],
    async run(scene) {
      await aborted(scene, scene.unit * 3, scene.unit * 2)
    },
  },
  {
    title: 'lets go of a source that does not move',
    promise: `${REASON}; a source that is stuck does not hold that up`,
    needs: ['write'],
    async run(scene) {
      const reason = new Error('waited long enough')
      const controller = new AbortController()
      const key = scene.key()
      const sources: ReturnType<typeof stallingSource>[] = []
      const error = await scene.failsCleanly(key, () => {
        const open = (): AsyncIterable<Uint8Array> => {
          const source = stallingSource(70_000)
          sources.push(source)
          void source.stalled.then(() => controller.abort(reason))
          return source
        }
        return scene.add(key, open, 100_000, { signal: controller.signal })
      })
      assert.equal(error, reason)
      assert.equal(sources.at(-1)?.released, true, 'the source was not released')
    },
  },
  {
    title: 'does not wait for a source that neither moves nor lets go',
    promise: `${REASON}; a source that is stuck does not hold that up`,
    needs: ['write'],
    async run(scene) {
      const reason = new Error('waited long enough')
      const controller = new AbortController()
      const key = scene.key()
      async function* stuck(): AsyncGenerator<Uint8Array> {
        yield* seededStream(51, 1000)
        setImmediate(() => controller.abort(reason))
        await new Promise(() => {}) // a generator that awaits cannot be returned from
      }
      const error = await scene.failsCleanly(key, () => scene.add(key, stuck, 2000, { signal: controller.signal }))
      assert.equal(error, reason)
    },
  },
  {
    title: 'keeps what it stored when the signal aborts afterwards',
    promise: 'after the answer the signal means nothing any more',
    needs: ['write'],
    async run({ add, key, expectObject }) {
      const controller = new AbortController()
      const { location } = await add(key(), () => seededStream(52, 1000), 1000, { signal: controller.signal })
      controller.abort(new Error('too late'))
      await expectObject(location, 52, 1000)
    },
  },
  {
    title: 'does not begin a read, size or deletion whose signal is aborted',
    promise: REASON,
    needs: ['content'],
    async run({ put, stores, soon, expectObject }) {
      const location = await put(53, 1000)
      const reason = new Error('changed my mind')
      const signal = AbortSignal.abort(reason)
      assert.equal(await soon(failureOf(stores.get(location, { signal })), 'get'), reason)
      assert.equal(await soon(failureOf(stores.getSizeFromBackend(location, { signal })), 'getSizeFromBackend'), reason)
      const error = await soon(failureOf(stores.delete(location, { signal })), 'delete')
      assert.ok(error === reason || isMullionError(error, 'unsupported'), `delete: ${String(error)}`)
      await expectObject(location, 53, 1000)
    },
  },
  {
    title: 'ends a body with the reason when aborted while it is read, and releases it',
    promise: 'aborting ends the body with signal.reason itself and keeps no handle open',
    needs: ['content'],
    async run({ put, stores, soon, leavesNoHandle, expectObject }) {
      const location = await put(54, 5 * MIB)
      await expectObject(location, 54, 5 * MIB)
      await leavesNoHandle(async () => {
        for (let times = 0; times < 8; times += 1) {
          const reason = new Error('enough')
          const controller = new AbortController()
          const { body } = await stores.get(location, { signal: controller.signal })
          const first = await soon(body.next(), 'the first chunk')
          assert.equal(first.done, false)
          controller.abort(reason)
          const error = await soon(failureOf(body.next()), 'the chunk after the abort')
          assert.equal(error, reason)
        }
      })
    },
  },
]

/** Aborts once the source has yielded `after` bytes of `size`. */
async function aborted(scene: Scene, size: number, after: number): Promise<void> {
  const reason = new Error('changed my mind')
  const controller = new AbortController()
  const key = scene.key()
  async function* source(): AsyncGenerator<Uint8Array> {
    let count = 0
    for await (const chunk of seededStream(55, size)) {
      if (count + chunk.byteLength > after) controller.abort(reason)
      yield chunk
      count += chunk.byteLength
    }
  }
  const error = await scene.failsCleanly(key, () => scene.add(key, source, size, { signal: controller.signal }))
  assert.equal(error, reason, `expected the reason of the signal itself, got ${String(error)}`)
}
