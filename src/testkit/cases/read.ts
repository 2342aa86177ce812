import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMullionError } from '../../errors.ts'
import { assertSeeded } from '../bytes.ts'
import { failureOf, type Scene } from '../scene.ts'
import type { StoreCase } from '../store-case.ts'

const MIB = 1024 * 1024
const RELEASE = 'a body that is left early, or never read, keeps no handle open'

export const readCases: readonly StoreCase[] = [
  {
    title: 'reads an object byte for byte and knows its size',
    promise: 'read answers all bytes and, if known, the size of the whole object; so does stat',
    needs: ['content'],
    async run({ put, expectObject, stores }) {
      const location = await put(20, 65_537)
      await expectObject(location, 20, 65_537)
      const size = await stores.getSizeFromBackend(location)
      if (size !== undefined) assert.equal(size, 65_537)
    },
  },
  {
    title: 'reads an object as often as asked',
    promise: 'a read changes nothing',
    needs: ['content'],
    async run({ put, expectObject }) {
      const location = await put(21, 1000)
      for (let times = 0; times < 3; times += 1) await expectObject(location, 21, 1000)
    },
  },
  {
    title: 'hands out chunks that it never touches again',
    promise: 'a chunk belongs to whoever receives it: a producer never writes to it again',
    needs: ['content'],
    async run({ put, stores }) {
      const location = await put(29, MIB)
      const { body } = await stores.get(location)
      const chunks: Uint8Array[] = []
      for await (const chunk of body) chunks.push(chunk)
      await assertSeeded(replay(chunks), { seed: 29, length: MIB })
    },
  },
  {
    title: 'reads any range within an object',
    promise: 'a range is exactly min(length, size - offset) bytes from offset; size stays that of the whole object',
    needs: ['content', 'range'],
    async run(scene) {
      const location = await scene.put(22, 1000)
      for (const offset of [0, 1, 499, 998, 999]) {
        for (const length of [undefined, 1, 2, 500, 999, 1000, 1001, 5000]) {
          await expectRange(scene, location, { seed: 22, size: 1000, offset, length })
        }
      }
    },
  },
  {
    title: 'reads ranges across the boundaries of its units',
    promise: 'ranges do not depend on how the backend splits an object',
    needs: ['content', 'range', 'unit'],
    async run(scene) {
      const size = scene.unit * 2 + 1
      const location = await scene.put(23, size)
      for (const offset of [0, scene.unit - 1, scene.unit, scene.unit + 1, scene.unit * 2]) {
        await expectRange(scene, location, { seed: 23, size, offset, length: undefined })
        await expectRange(scene, location, { seed: 23, size, offset, length: 2 })
      }
    },
  },
  {
    title: 'answers an empty body for a range past the end',
    promise: 'a range that begins at or past the end has no bytes, and is no error',
    needs: ['content', 'range'],
    async run(scene) {
      for (const size of [0, 1000]) {
        const location = await scene.put(24, size)
        for (const offset of [size, size + 1, size + MIB]) {
          await expectRange(scene, location, { seed: 24, size, offset, length: undefined })
          await expectRange(scene, location, { seed: 24, size, offset, length: 10 })
        }
        await expectRange(scene, location, { seed: 24, size, offset: 0, length: 0 })
      }
    },
  },
  {
    title: 'refuses ranges when it has none',
    promise: 'a store without ranges is never asked for one: get rejects unsupported',
    needs: ['content', 'noRange'],
    async run({ put, stores }) {
      const location = await put(25, 100)
      const error = await failureOf(stores.get(location, { offset: 1 }))
      assert.ok(isMullionError(error, 'unsupported'), `expected unsupported, got ${String(error)}`)
    },
  },
  {
    title: 'goes on where a read broke',
    promise: 'a read that begins at an offset continues the bytes before it',
    needs: ['content', 'range'],
    faults: [
      { op: 'read', atByte: 100_000 },
      { op: 'read', after: 1, times: 1 },
      { op: 'read', after: 2, atByte: 1 },
    ],
    async run({ put, expectObject }) {
      const location = await put(26, 300_001)
      await expectObject(location, 26, 300_001)
    },
  },
  {
    title: 'releases a body that nobody reads',
    promise: RELEASE,
    needs: ['content'],
    run: (scene) =>
      leaving(scene, async (location) => {
        const got = await scene.stores.get(location)
        await scene.soon(Promise.resolve(got[Symbol.asyncDispose]()), 'disposing of an unread body')
      }),
  },
  {
    title: 'releases a body that is left half-read',
    promise: RELEASE,
    needs: ['content'],
    run: (scene) =>
      leaving(scene, async (location) => {
        const { body } = await scene.stores.get(location)
        for await (const chunk of body) {
          assert.ok(chunk.byteLength > 0)
          break
        }
      }),
  },
  {
    title: 'does not read ahead without bound for a slow reader',
    promise: 'memory does not grow with the object: a reader that waits makes the store wait',
    needs: ['content'],
    once: true,
    async run({ put, stores, soon, capabilities }) {
      const size = Math.min(16 * MIB, capabilities.maxSize)
      const location = await put(27, size)
      const before = await buffered()
      await using got = await stores.get(location)
      const first = await soon(got.body.next(), 'the first chunk')
      assert.equal(first.done, false)
      for (let turns = 0; turns < 50; turns += 1) await turn()
      const grown = (await buffered()) - before
      assert.ok(grown < size / 2, `${grown} bytes were read ahead of a reader that waits`)
    },
  },
]

interface Wanted {
  readonly seed: number
  readonly size: number
  readonly offset: number
  readonly length: number | undefined
}

async function expectRange(
  { stores }: Scene,
  location: Parameters<Scene['expectObject']>[0],
  wanted: Wanted,
): Promise<void> {
  const { seed, size, offset, length } = wanted
  const what = `offset ${offset}, length ${length} of ${size} bytes`
  try {
    await using got = await stores.get(location, { offset, ...(length !== undefined && { length }) })
    if (got.size !== undefined) assert.equal(got.size, size, 'size of the whole object')
    await assertSeeded(got.body, { seed, offset, length: Math.max(0, Math.min(length ?? size, size - offset)) })
  } catch (cause) {
    throw new assert.AssertionError({ message: `${what}: ${cause instanceof Error ? cause.message : String(cause)}` })
  }
}

async function leaving(
  scene: Scene,
  use: (location: Parameters<Scene['expectObject']>[0]) => Promise<void>,
): Promise<void> {
  const location = await scene.put(28, 5 * MIB)
  await scene.expectObject(location, 28, 5 * MIB)
  await scene.leavesNoHandle(async () => {
    for (let times = 0; times < 16; times += 1) await use(location)
  })
}

async function* replay(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

/** Bytes outside the heap that something still refers to. */
async function buffered(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  for (let times = 0; times < 3; times += 1) {
    collectGarbage()
    await turn() // buffers are freed by another thread
  }
  const { arrayBuffers, external } = process.memoryUsage()
  return Math.max(arrayBuffers, external)
}

/** Time for a stream to fill its buffers, in turns of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 2)
  })
}
