import assert from 'node:assert/strict'
import { type ErrorCode, isMullionError } from '../../errors.ts'
import { seededStream } from '../bytes.ts'
import type { Refusal } from '../harness.ts'
import { failingSource } from '../sources.ts'
import type { Scene } from '../scene.ts'
import type { StoreCase } from '../store-case.ts'

const SIZE = 200_000
const LARGE = 2 * 1024 * 1024
const REFUSALS: readonly Refusal[] = ['storage_full', 'permission_denied', 'unauthenticated']
const NOTHING = 'a write that fails leaves nothing, and its key can be used again'

/** Writes that must fail. */
export const failureCases: readonly StoreCase[] = [
  ...[0, 1, 70_000, SIZE].map(
    (bytes): StoreCase => ({
      title: `rejects with the error of a source that fails after ${bytes} bytes, and leaves nothing`,
      promise: `an error of the source is rethrown as it is; ${NOTHING}`,
      needs: ['write'],
      async run(scene) {
        const failure = new Error('the source failed')
        const key = scene.key()
        const error = await scene.failsCleanly(key, () => scene.add(key, () => failingSource(failure, bytes), SIZE))
        assert.equal(error, failure, `expected the error of the source itself, got ${String(error)}`)
      },
    }),
  ),
  {
    title: 'leaves nothing when a source of several units fails at the end',
    promise: NOTHING,
    needs: ['write', 'unit'],
    async run(scene) {
      const failure = new Error('the source failed')
      const size = scene.unit * 2 + 1
      const key = scene.key()
      const error = await scene.failsCleanly(key, () => scene.add(key, () => failingSource(failure, size), size))
      assert.equal(error, failure)
    },
  },
  ...REFUSALS.map(
    (code): StoreCase => ({
      title: `rejects ${code} when the backend refuses, and leaves nothing`,
      promise: `what the backend refuses rejects with a code that says why; ${NOTHING}`,
      needs: ['write'],
      refusal: code,
      async run(scene) {
        const error = await scene.leavesNothing(() => scene.write(scene.key(), 15, LARGE))
        assert.ok(isMullionError(error, code), `expected ${code}, got ${String(error)}`)
      },
    }),
  ),
  refused('a source shorter than announced', 'size_mismatch', (scene, key) =>
    scene.add(key, () => seededStream(1, SIZE - 1), SIZE, { size: SIZE }),
  ),
  refused('a source longer than announced', 'size_mismatch', (scene, key) =>
    scene.add(key, () => seededStream(1, SIZE + 1), SIZE, { size: SIZE }),
  ),
  refused('an empty source announced as more', 'size_mismatch', (scene, key) =>
    scene.add(key, () => seededStream(1, 0), SIZE, { size: SIZE }),
  ),
  refused('a source of bytes announced as empty', 'size_mismatch', (scene, key) =>
    scene.add(key, () => seededStream(1, 1), 0, { size: 0 }),
  ),
  refused('bytes of another digest than expected', 'hash_mismatch', (scene, key) =>
    scene.add(key, () => seededStream(1, SIZE), SIZE, { expect: { md5: '0'.repeat(32) } }),
  ),
  refused(
    'a source that grows over the limit',
    'too_large',
    (scene, key) => scene.add(key, () => seededStream(1, SIZE), SIZE, { limit: SIZE - 1 }),
    ['unknownSize'],
  ),
]

function refused(
  what: string,
  code: ErrorCode,
  write: (scene: Scene, key: string) => Promise<unknown>,
  needs: StoreCase['needs'] = [],
): StoreCase {
  return {
    title: `refuses ${what} with ${code}, and leaves nothing`,
    promise: `a body ends only when size and digests were met; ${NOTHING}`,
    needs: ['write', ...needs],
    async run(scene) {
      const key = scene.key()
      const error = await scene.failsCleanly(key, () => write(scene, key))
      assert.ok(isMullionError(error, code), `expected ${code}, got ${String(error)}`)
    },
  }
}
