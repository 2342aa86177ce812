import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type Location, revealUri } from '../../location.ts'
import { isMullionError } from '../../errors.ts'
import { assertSeeded, seededBytes, seededStream } from '../bytes.ts'
import { failureOf, type Scene } from '../scene.ts'
import { oneByteSource } from '../sources.ts'
import type { StoreCase } from '../store-case.ts'

const KIB = 1024
const MIB = 1024 * KIB
const ROUND_TRIP = 'write resolves once the object is complete and durable, and read gives back the same bytes'

const SIZES: readonly (readonly [title: string, size: number])[] = [
  ['an empty object', 0],
  ['one byte', 1],
  ['64 KiB less one byte', 64 * KIB - 1],
  ['64 KiB', 64 * KIB],
  ['64 KiB and one byte', 64 * KIB + 1],
  ['5 MiB and one byte', 5 * MIB + 1],
]
const UNITS: readonly (readonly [title: string, delta: number])[] = [
  ['one byte less than its unit', -1],
  ['exactly its unit', 0],
  ['one byte more than its unit', 1],
]

export const writeCases: readonly StoreCase[] = [
  ...SIZES.flatMap(([title, size]) => roundTrips(title, () => size)),
  ...UNITS.flatMap(([title, delta]) => roundTrips(title, ({ unit }) => unit + delta, ['unit'])),
  {
    title: 'stores single bytes, each in a chunk of its own',
    promise: ROUND_TRIP,
    needs: ['write'],
    async run({ add, key, expectObject }) {
      const bytes = seededBytes(3, 4097)
      const { location } = await add(key(), () => oneByteSource(bytes), bytes.byteLength)
      await expectObject(location, 3, bytes.byteLength)
    },
  },
  {
    title: 'stores a source with empty chunks and chunks of all lengths',
    promise: ROUND_TRIP,
    needs: ['write'],
    async run({ add, key, expectObject }) {
      const lengths = [0, 1, 0, 7, 4096, 0, 65_537, 3, 0, 200_000, 1, 0]
      const size = lengths.reduce((sum, length) => sum + length, 0)
      const { location } = await add(key(), () => inChunks(4, lengths), size)
      await expectObject(location, 4, size)
    },
  },
  {
    title: 'answers how many bytes it stored and their digests',
    promise: 'size and hashes of the result are those of the stored bytes',
    needs: ['write'],
    async run({ add, key, stores }) {
      const bytes = seededBytes(5, 70_001)
      const names = ['md5', 'sha256', 'sha512'] as const
      const result = await add(key(), () => seededStream(5, bytes.byteLength), bytes.byteLength, { hashes: names })
      assert.equal(result.size, bytes.byteLength)
      const digests = names.map((name) => [name, createHash(name).update(bytes).digest('hex')])
      assert.deepEqual({ ...result.hashes }, Object.fromEntries(digests))
      const size = await stores.getSizeFromBackend(result.location)
      if (size !== undefined) assert.equal(size, bytes.byteLength)
    },
  },
  {
    title: 'refuses a key that is taken and leaves what is there untouched',
    promise: 'an existing key rejects with already_exists and leaves it untouched',
    needs: ['write'],
    async run(scene) {
      const key = scene.key()
      const { location } = await scene.write(key, 6, 5000)
      const error = await scene.soon(failureOf(scene.write(key, 7, 5001), 'the second write'), 'the second write')
      assert.ok(isMullionError(error, 'already_exists'), `expected already_exists, got ${String(error)}`)
      await scene.expectObject(location, 6, 5000)
    },
  },
  {
    title: 'takes keys of every allowed character and of the greatest length',
    promise: 'a key is 1 to 255 of A-Z a-z 0-9 . _ -',
    needs: ['write'],
    async run(scene) {
      const unique = scene.key()
      for (const key of [
        `A-z.0_9..-${unique}`,
        `-${unique}`,
        `_${unique}.`,
        `${unique}.part`,
        unique.padEnd(255, 'x'),
      ]) {
        const { location } = await scene.write(key, 8, 300)
        await scene.expectObject(location, 8, 300)
      }
    },
  },
  {
    title: 'refuses keys that would leave it, or that no backend can hold',
    promise: 'other keys reject invalid_argument before anything is touched',
    needs: ['write'],
    async run(scene) {
      const hostile = [
        '',
        '.',
        '..',
        '../x',
        'a/b',
        'a\\b',
        '.hidden',
        '\0',
        'a\0b',
        'é',
        '💾',
        'a b',
        '%2e%2e',
        'x'.repeat(256),
      ]
      for (const key of hostile) {
        const error = await scene.soon(failureOf(scene.write(key, 9, 10)), 'the refusal')
        assert.ok(isMullionError(error, 'invalid_argument'), `key ${JSON.stringify(key)}: got ${String(error)}`)
      }
    },
  },
  {
    title: 'announces the place where the object then is',
    promise: 'announce is called with the place of the object; the result names the same one',
    needs: ['write'],
    once: true,
    async run({ add, key }) {
      const announced: Location[] = []
      const onLocation = (location: Location): void => void announced.push(location)
      const { location } = await add(key(), () => seededStream(10, 1000), 1000, { onLocation })
      assert.ok(announced.length > 0, 'no place was announced')
      for (const place of announced) assert.equal(revealUri(place), revealUri(location))
    },
  },
  {
    title: 'announces the place before anything is visible there',
    promise: 'announce is awaited before anything is visible at the place',
    needs: ['write', 'atomicWrite', 'parallel'],
    async run({ add, key, stores, soon }) {
      const seen: unknown[] = []
      await add(key(), () => seededStream(11, 1000), 1000, {
        async onLocation(location) {
          const size = stores.getSizeFromBackend(location).catch((error: unknown) => error)
          seen.push(await soon(size, 'stat of the announced place'))
        },
      })
      assert.ok(seen.length > 0, 'no place was announced')
      for (const found of seen)
        assert.ok(isMullionError(found, 'not_found'), `expected not_found, got ${String(found)}`)
    },
  },
  {
    title: 'takes metadata and answers with metadata of text',
    promise: 'metadata is handed to the store, whose own is text by name',
    needs: ['write'],
    async run({ add, key, expectObject }) {
      const metadata = { os: 'debian', note: 'ünïcode = fine; really, "yes"' }
      const result = await add(key(), () => seededStream(12, 100), 100, { metadata })
      for (const value of Object.values(result.metadata)) assert.equal(typeof value, 'string')
      await expectObject(result.location, 12, 100)
    },
  },
  {
    title: 'hides a transient failure when the source can be replayed',
    promise: 'a failed write leaves nothing that keeps the next attempt from succeeding',
    needs: ['write'],
    faults: [
      { op: 'write', times: 1 },
      { op: 'write', after: 1, atByte: 70_000 },
    ],
    async run(scene) {
      const { location } = await scene.write(scene.key(), 13, 200_000)
      await scene.expectObject(location, 13, 200_000)
    },
  },
  {
    title: 'does not repeat a source that can be read once',
    promise: 'an attempt that consumed its source is not repeated',
    needs: ['write'],
    faults: [{ op: 'write', atByte: 100 }],
    async run(scene) {
      const key = scene.key()
      const error = await scene.failsCleanly(key, () => scene.add(key, seededStream(14, 70_000), 70_000))
      assert.ok(isMullionError(error, 'unavailable'), `expected unavailable, got ${String(error)}`)
    },
  },
]

/** Known and unknown size of the same bytes. */
function roundTrips(
  title: string,
  sizeOf: (scene: Scene) => number,
  needs: StoreCase['needs'] = [],
): readonly StoreCase[] {
  return [
    {
      title: `stores and returns ${title}`,
      promise: ROUND_TRIP,
      needs: ['write', ...needs],
      async run(scene) {
        const size = sizeOf(scene)
        const source = (): AsyncIterable<Uint8Array> => seededStream(size, size)
        const result = await scene.add(scene.key(), source, size, { size })
        assert.equal(result.size, size)
        await scene.expectObject(result.location, size, size)
      },
    },
    {
      title: `stores and returns ${title} of unknown size`,
      promise: ROUND_TRIP,
      needs: ['write', 'unknownSize', ...needs],
      async run(scene) {
        const size = sizeOf(scene)
        const result = await scene.stores.add(scene.key(), () => seededStream(size, size))
        assert.equal(result.size, size)
        const { body } = await scene.stores.get(result.location)
        await assertSeeded(body, { seed: size, length: size })
      },
    },
  ]
}

async function* inChunks(seed: number, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (const length of lengths) {
    yield seededBytes(seed, length, at)
    at += length
  }
}
