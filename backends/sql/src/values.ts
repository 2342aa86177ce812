import { MullionError } from 'mullion'
import type { Flag, TimeText } from './schema.ts'

/** Largest value of a 32-bit column. */
export const MAX_INTEGER = 2_147_483_647

export const TIME_LENGTH = 24

const FIRST = Date.parse('0000-01-01T00:00:00.000Z')
const LAST = Date.parse('9999-12-31T23:59:59.999Z')

/** Times outside of the years 0 to 9999 become the nearest inside: further ones are wider and would sort wrongly. */
export function toTime(date: Date): TimeText {
  return new Date(Math.min(LAST, Math.max(FIRST, date.getTime()))).toISOString()
}

export function toFlag(value: boolean): Flag {
  return value ? 1 : 0
}

/**
 * The text, if every database can keep it as it is: at most `limit` code points, no NUL, no half surrogate pair. SQLite
 * alone would take more. Throws `invalid_argument`.
 */
export function checkText(name: string, value: unknown, limit: number = Number.POSITIVE_INFINITY): string {
  if (typeof value !== 'string') throw invalidArgument(name, 'expected text')
  // as VARCHAR counts; only a text of more than `limit` UTF-16 units needs the count
  const length = value.length > limit ? Array.from(value).length : value.length
  if (length > limit) throw invalidArgument(name, `expected at most ${limit} characters, got ${length}`)
  if (!isStorable(value)) throw invalidArgument(name, 'expected text without NUL and half characters')
  return value
}

/** Whether a text can be in a database at all: another is never found. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed()
}

/** Throws `invalid_argument` unless the value is a whole number from 0 to `limit`. */
export function checkInteger(name: string, value: unknown, limit: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= limit) return value
  throw invalidArgument(name, `expected a whole number from 0 to ${limit}`)
}

export function invalidArgument(name: string, what: string): MullionError<'invalid_argument'> {
  return new MullionError('invalid_argument', `${name}: ${what}`, { details: { name } })
}

/** Parts of at most `size`: databases limit the parameters of a statement. */
export function chunks<T>(values: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, part) =>
    values.slice(part * size, (part + 1) * size),
  )
}
