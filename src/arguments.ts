import { MullionError } from './errors.ts'

/** A number of bytes, or nothing. Throws `invalid_argument`. */
export function bytes(name: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return value
  throw invalid(name, `expected a whole number of bytes, 0 or more, got ${value}`)
}

const KEY = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/

/** Throws `invalid_argument` unless every store can use it as an object's name. */
export function assertKey(key: string): void {
  if (KEY.test(key)) return
  throw invalid(
    'imageId',
    `expected 1 to 255 of A-Z a-z 0-9 . _ -, not starting with a dot, got ${JSON.stringify(key)}`,
  )
}

/** Throws `invalid_argument` unless all values are text. */
export function texts(label: string, metadata: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw invalid('metadata', `${label}: ${name}: expected text, got ${typeof value}`)
  }
  return metadata as Readonly<Record<string, string>>
}

export function invalid(name: string, message: string): MullionError<'invalid_argument'> {
  return new MullionError('invalid_argument', `${name}: ${message}`, { details: { name } })
}
