import { MAX_PART, type S3Settings } from './config.ts'

export type PlanRules = Pick<S3Settings, 'partSize' | 'maxParts' | 'equalParts'>

/**
 * Bytes of the next part at most, after `sent` bytes. With a known size all parts are alike and as few as may be. Without one a
 * part has the eighth of a `maxParts`th of what came before it, in whole multiples of `partSize`: 10,000 parts reach
 * 5 TiB from 5 MiB on, and the first 9 GiB go in parts of 8 MiB. With `equalParts` nothing grows.
 */
export function nextPartSize(
  { partSize, maxParts, equalParts }: PlanRules,
  size: number | undefined,
  sent: number,
): number {
  if (size !== undefined) return Math.min(size - sent, Math.max(partSize, Math.ceil(size / maxParts)))
  if (equalParts) return partSize
  const share = (sent * 8) / maxParts
  return Math.min(MAX_PART, Math.max(1, Math.ceil(share / partSize)) * partSize)
}
