import type { Answer } from './exchange.ts'
import type { BodyPlan } from './body.ts'
import { brokenAnswer, failure } from './errors.ts'
import { type ContentRange, contentLength, contentRange } from './headers.ts'

/** The part of an object that a reader wants, in bytes. */
export interface Wanted {
  readonly offset: number
  readonly length: number | undefined
}

/** The Range header for it, undefined when the whole object is wanted. */
export function rangeHeader({ offset, length }: Wanted): string | undefined {
  if (length !== undefined) return `bytes=${offset}-${offset + length - 1}`
  return offset > 0 ? `bytes=${offset}-` : undefined
}

/**
 * How to get what is wanted out of an answer 200, 206 or 416, and the size of the whole object. A server may ignore the
 * range (RFC 9110 §14.2): what lies in front is then read and dropped, up to `maxSkip` bytes.
 */
export function planOf(
  { status, headers }: Pick<Answer, 'status' | 'headers'>,
  wanted: Wanted,
  maxSkip: number,
): { plan: BodyPlan; size: number | undefined } {
  if (status === 206) return partial(contentRange(headers), wanted)
  if (status === 416) return behindTheEnd(contentRange(headers)?.total, wanted)
  const size = contentLength(headers)
  const { offset, length } = wanted
  if (offset > maxSkip && (size === undefined || offset < size)) {
    const what = `the server ignores ranges, and ${offset} bytes are more than the ${maxSkip} that may be skipped`
    throw failure('unsupported', what, { operation: 'range' })
  }
  const isBehind = size !== undefined && offset >= size && offset > 0
  return { plan: { expected: size, skip: offset, take: isBehind ? 0 : length }, size }
}

function partial(
  range: ContentRange | undefined,
  { offset, length }: Wanted,
): { plan: BodyPlan; size: number | undefined } {
  if (range?.first === undefined || range.last === undefined || range.first !== offset) {
    throw brokenAnswer('the server sent another range than the one asked for')
  }
  const { first, last, total } = range
  const end = Math.min(
    total ?? Number.POSITIVE_INFINITY,
    length === undefined ? Number.POSITIVE_INFINITY : offset + length,
  )
  // RFC 9110 §15.3.7 lets a server send less; to a reader that would be a short read
  if (Number.isFinite(end) && last + 1 !== end)
    throw brokenAnswer('the server sent less or more than the range asked for')
  return { plan: { expected: last - first + 1, skip: 0, take: undefined }, size: total }
}

function behindTheEnd(total: number | undefined, { offset }: Wanted): { plan: BodyPlan; size: number } {
  if (total === undefined || offset < total) throw brokenAnswer('the server refused a range that exists')
  return { plan: { expected: undefined, skip: 0, take: 0 }, size: total }
}
