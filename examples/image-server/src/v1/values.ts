const INTEGER = /^[ \t]*([+-]?\d+)[ \t]*$/
const TRUE: ReadonlySet<string> = new Set(['1', 't', 'true', 'on', 'y', 'yes'])
const ISO_TIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/

/** A decimal integer with blanks around it at most, undefined when it is none. Digits beyond 2⁵³ lose precision. */
export function parseInteger(text: string): number | undefined {
  const digits = INTEGER.exec(text)?.[1]
  return digits === undefined ? undefined : Number(digits) + 0 // + 0 turns -0 into 0
}

/** Images v1 knows no wrong booleans: what is not true is false. */
export function parseBoolean(text: string | null): boolean {
  return text !== null && TRUE.has(text.trim().toLowerCase())
}

/** An ISO 8601 date or time from the year 1900 on, UTC unless it says otherwise; undefined when it is none. */
export function parseIsoTime(text: string): Date | undefined {
  const parts = ISO_TIME.exec(text)
  if (!parts) return undefined
  const [, year = '', month = '', day = '', hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] =
    parts
  const offset = zone.length === 3 ? `${zone}:00` : zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone
  const time = new Date(
    `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}${offset}`,
  )
  const isDay = new Date(`${year}-${month}-${day}T00:00:00Z`).getUTCDate() === Number(day) // Date accepts 31 February
  return Number(year) >= 1900 && isDay && !Number.isNaN(time.getTime()) ? time : undefined
}

/** UTC without a zone, always with six digits of fraction. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, -1)}000`
}

/** 32 hexadecimal digits with hyphens anywhere, 36 characters at most. */
export function isUuidLike(text: string): boolean {
  return text.length <= 36 && /^[0-9a-f]{32}$/i.test(text.replaceAll('-', ''))
}

/** Code points, which is what limits of text count. */
export function lengthOf(text: string): number {
  return Array.from(text).length
}
