import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Output } from '../src/output.ts'
import { withHoles } from '../src/sparse.ts'
import { bytesAt, inChunksOf, openStore, seededBytes, streamOf, temporaryDirectory, writing } from './support.ts'

const KIB = 1024

function recorder(): Output & { readonly holes: [from: number, to: number][]; readonly content: () => Buffer } {
  const parts: Uint8Array[] = []
  const holes: [number, number][] = []
  let position = 0
  return {
    holes,
    content: () => Buffer.concat(parts),
    async write(data) {
      parts.push(data)
      position += data.byteLength
    },
    async skip(bytes) {
      parts.push(new Uint8Array(bytes))
      const last = holes.at(-1)
      if (last?.[1] === position) last[1] += bytes
      else holes.push([position, position + bytes])
      position += bytes
    },
    end: async () => position,
    settled: async () => {},
  }
}

async function holesOf(
  bytes: Uint8Array,
  chunk: number,
): Promise<{ holes: readonly (readonly [number, number])[]; content: Buffer }> {
  const record = recorder()
  const output = withHoles(record)
  for await (const part of inChunksOf(bytes, chunk)) await output.write(part)
  expect(await output.end()).toBe(bytes.byteLength)
  return { holes: record.holes, content: record.content() }
}

describe('holes', () => {
  const image = new Uint8Array(40 * KIB + 100)
  image.set(seededBytes(5000), 0) // ends within the second block
  image.set(seededBytes(1), 20 * KIB - 1) // the last byte of the fifth block

  it.each([1, 7, 511, 4095, 4096, 4097, 10_000, 65_536])('are the same for chunks of %i bytes', async (chunk) => {
    const { holes, content } = await holesOf(image, chunk)
    expect(holes).toEqual([
      [8 * KIB, 16 * KIB],
      [20 * KIB, 40 * KIB + 100],
    ])
    expect(content.equals(image)).toBe(true)
  })

  it('change no byte and are all there is to find, whatever the content and the chunks', async () => {
    const extent = fc.record({ zero: fc.boolean(), length: fc.integer({ min: 0, max: 9000 }) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(extent, { maxLength: 6 }),
        fc.integer({ min: 1, max: 9000 }),
        async (extents, chunk) => {
          const bytes = Buffer.concat(
            extents.map(({ zero, length }) => (zero ? new Uint8Array(length) : seededBytes(length))),
          )
          const { holes, content } = await holesOf(bytes, chunk)
          expect(content.equals(bytes)).toBe(true)
          const expected: number[] = []
          for (let at = 0; at < bytes.length; at += 4096) {
            if (bytes.subarray(at, at + 4096).every((byte) => byte === 0)) expected.push(at)
          }
          const found = holes.flatMap(([from, to]) =>
            Array.from({ length: Math.ceil((to - from) / 4096) }, (_, n) => from + n * 4096),
          )
          expect(found).toEqual(expected)
        },
      ),
      { numRuns: 60 },
    )
  })
})

describe('a sparse store', () => {
  it('spends no blocks on zeros, also when a run is split over chunks, and keeps the length', async () => {
    const dir = await temporaryDirectory()
    const bytes = Buffer.concat([
      seededBytes(64 * KIB),
      new Uint8Array(4 << 20),
      seededBytes(64 * KIB, 2),
      new Uint8Array((2 << 20) + 5),
    ])
    const sparse = await openStore({ dir, sparse: true })
    const { at } = await sparse.write('sparse', inChunksOf(bytes, 99_991), writing())
    const { size, blocks } = await stat(at)
    expect(size).toBe(bytes.length)
    expect(blocks * 512).toBeLessThan(256 * KIB)
    expect((await bytesAt(sparse, at)).equals(bytes)).toBe(true)
  })

  it('keeps images of nothing but zeros, and empty ones', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir, sparse: true })
    const { at } = await store.write('zeros', inChunksOf(new Uint8Array(3 << 20), 1000), writing({ size: 3 << 20 }))
    expect(await stat(at)).toMatchObject({ size: 3 << 20, blocks: expect.closeTo(0, -2) })
    expect((await bytesAt(store, at)).equals(new Uint8Array(3 << 20))).toBe(true)
    await store.write('empty', streamOf(), writing({ size: 0 }))
    expect((await stat(join(dir, 'empty'))).size).toBe(0)
  })

  it('is something else than one that is not', async () => {
    const dir = await temporaryDirectory()
    const { at } = await (await openStore({ dir })).write('full', streamOf(new Uint8Array(1 << 20)), writing())
    const handle = await open(at)
    try {
      expect((await handle.stat()).blocks * 512).toBeGreaterThanOrEqual(1 << 20)
    } finally {
      await handle.close()
    }
  })
})
