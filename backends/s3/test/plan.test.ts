import { describe, expect, it } from 'vitest'
import { MAX_PART, MIN_PART } from '../src/config.ts'
import { nextPartSize, type PlanRules } from '../src/plan.ts'

const MIB = 1024 ** 2
const GIB = 1024 ** 3
const TIB = 1024 ** 4
const S3: PlanRules = { partSize: 8 * MIB, maxParts: 10_000, equalParts: false }

/** The parts of an upload of `total` bytes. */
function partsOf(rules: PlanRules, total: number, size?: number): readonly number[] {
  const parts: number[] = []
  for (let sent = 0; sent < total; ) {
    const part = Math.min(nextPartSize(rules, size, sent), total - sent)
    parts.push(part)
    sent += part
  }
  return parts
}

describe('the plan of parts', () => {
  it.each([MIN_PART, 8 * MIB, 16 * MIB, 100 * MIB])('reaches 5 TiB of unknown length from %o bytes', (partSize) => {
    const parts = partsOf({ ...S3, partSize }, 5 * TIB)
    expect(parts.length).toBeLessThanOrEqual(10_000)
    expect(Math.max(...parts)).toBeLessThanOrEqual(MAX_PART)
    expect(Math.min(...parts.slice(0, -1))).toBeGreaterThanOrEqual(partSize)
  })

  it('keeps parts small for the sizes of most images', () => {
    expect(Math.max(...partsOf(S3, 9 * GIB))).toBe(8 * MIB)
    expect(Math.max(...partsOf(S3, 19 * GIB))).toBe(16 * MIB)
    expect(Math.max(...partsOf(S3, 100 * GIB))).toBe(88 * MIB)
    expect(Math.max(...partsOf(S3, TIB))).toBe(840 * MIB)
  })

  it('reaches 1 TiB in the 1,000 parts of Swift', () => {
    expect(partsOf({ ...S3, maxParts: 1000 }, TIB).length).toBeLessThanOrEqual(1000)
  })

  it.each([1, 8 * MIB, 8 * MIB + 1, 80_000 * MIB, 80_000 * MIB + 1, TIB, 5 * TIB])(
    'sends %o bytes that were announced in equal parts and as few as may be',
    (size) => {
      const parts = partsOf(S3, size, size)
      expect(parts.length).toBeLessThanOrEqual(10_000)
      expect(new Set(parts.slice(0, -1)).size).toBeLessThanOrEqual(1)
      expect(parts[0]).toBe(Math.min(size, Math.max(8 * MIB, Math.ceil(size / 10_000))))
    },
  )

  it('never grows where all parts must be equal', () => {
    expect(new Set(partsOf({ ...S3, equalParts: true }, 80_000 * MIB))).toEqual(new Set([8 * MIB]))
  })
})
