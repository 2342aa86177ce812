import { failure } from './errors.ts'
import type { ServiceLimits } from './limits.ts'

const MIB = 1024 ** 2
/** Segments after which the size doubles while the length is unknown: 4.5 TiB fit into 1000 segments of 200 MiB to 5 GiB. */
const STEP = 16

/**
 * Bytes of the segment with the number `index`, from 0. Segments of an object of known size are as long as configured, or
 * as long as they must be to be few enough. Throws `too_large` when no size would do.
 */
export function segmentPlan(
  size: number | undefined,
  segmentSize: number,
  { maxFileSize, maxSegments }: ServiceLimits,
): (index: number) => number {
  const limit = maxFileSize * maxSegments
  const tooLarge = (): Error => failure('too_large', `larger than ${maxSegments} segments`, { limit })
  const first = Math.min(segmentSize, maxFileSize)
  if (size !== undefined) {
    const needed = Math.ceil(size / maxSegments)
    const rounded = Math.min(Math.ceil(needed / MIB) * MIB, maxFileSize)
    if (needed > maxFileSize) throw tooLarge()
    const each = needed <= first ? first : rounded
    return () => each
  }
  return (index) => {
    if (index >= maxSegments) throw tooLarge()
    return Math.min(first * 2 ** Math.floor(index / STEP), maxFileSize)
  }
}
