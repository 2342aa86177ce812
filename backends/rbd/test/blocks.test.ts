import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blocksOf } from '../src/blocks.ts'
import { nonZeroRuns } from '../src/sparse.ts'
import { streamOf } from './ceph.ts'

const GRAIN = 65_536
const chunks = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 })

describe('blocks of a stream', () => {
  it('are of one size but for the last, and hold the bytes in order', async () => {
    await fc.assert(
      fc.asyncProperty(chunks, fc.integer({ min: 1, max: 64 }), async (parts, size) => {
        const whole = Buffer.concat(parts)
        const found: Uint8Array[] = []
        let next = 0
        for await (const { offset, pieces, bytes } of blocksOf(streamOf(...parts), size)) {
          expect(offset).toBe(next)
          expect(bytes).toBe(Math.min(size, whole.byteLength - offset))
          expect(Buffer.concat(pieces)).toHaveLength(bytes)
          found.push(...pieces)
          next += bytes
        }
        expect(Buffer.concat(found).equals(whole)).toBe(true)
      }),
    )
  })
})

describe('runs that are not zero', () => {
  /** Bytes of which each part of a grain is zero or not. */
  const image = fc
    .array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: GRAIN * 2 })), { minLength: 1, maxLength: 8 })
    .map((parts) => Buffer.concat(parts.map(([zero, length]) => Buffer.alloc(length, zero ? 0 : 1))))

  it('restore the bytes, and cover no grain of zeros, wherever the pieces are cut', () => {
    fc.assert(
      fc.property(image, fc.nat({ max: 5 }), fc.integer({ min: 1000, max: 200_000 }), (bytes, first, step) => {
        const offset = first * GRAIN
        const pieces = Array.from({ length: Math.ceil(bytes.byteLength / step) }, (_, index) =>
          bytes.subarray(index * step, (index + 1) * step),
        )
        const restored = Buffer.alloc(bytes.byteLength)
        const written = new Set<number>()
        for (const [at, run] of nonZeroRuns(offset, pieces)) {
          const joined = Buffer.concat(run)
          joined.copy(restored, at - offset)
          for (let grain = at; grain < at + joined.byteLength; grain += GRAIN) written.add(grain - offset)
        }
        expect(restored.equals(bytes)).toBe(true)
        for (let grain = 0; grain < bytes.byteLength; grain += GRAIN) {
          const zero = bytes.subarray(grain, grain + GRAIN).every((byte) => byte === 0)
          expect(written.has(grain)).toBe(!zero)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('are handed on without a copy', () => {
    const bytes = Buffer.alloc(3 * GRAIN, 1)
    const [[at, run] = [0, []]] = nonZeroRuns(0, [bytes])
    expect([at, run.length, run[0]?.buffer]).toEqual([0, 1, bytes.buffer])
  })
})
