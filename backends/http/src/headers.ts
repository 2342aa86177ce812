import type { IncomingHttpHeaders } from 'node:http'

/** `Content-Range: bytes 0-99/1000`; without `first` and `last` it comes with 416. RFC 9110 §14.4. */
export interface ContentRange {
  readonly first: number | undefined
  readonly last: number | undefined
  /** undefined when the server does not know it. */
  readonly total: number | undefined
}

/** undefined when the header is absent or makes no sense. */
export function contentRange(headers: IncomingHttpHeaders): ContentRange | undefined {
  const match = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/i.exec(headers['content-range'] ?? '')
  if (!match) return undefined
  const first = integer(match[1])
  const last = integer(match[2])
  const total = integer(match[3])
  if (match[1] === undefined) return { first, last, total }
  if (first === undefined || last === undefined || first > last) return undefined
  if (match[3] !== '*' && (total === undefined || last >= total)) return undefined
  return { first, last, total }
}

/** Bytes of the body, undefined when the server does not say. */
export function contentLength(headers: IncomingHttpHeaders): number | undefined {
  // RFC 9112 §6.3: Transfer-Encoding overrides it
  return headers['transfer-encoding'] === undefined ? integer(headers['content-length']) : undefined
}

/** Whether the bytes that arrive are those of the resource: neither compressed nor otherwise wrapped. */
export function isPlain(headers: IncomingHttpHeaders): boolean {
  const coding = headers['content-encoding']?.trim().toLowerCase() ?? ''
  const transfer = headers['transfer-encoding']?.trim().toLowerCase() ?? ''
  return ['', 'identity'].includes(coding) && ['', 'chunked', 'identity'].includes(transfer)
}

/** Weak validators do not promise equal bytes. RFC 9110 §8.8.1. */
export function strongEtag(headers: IncomingHttpHeaders): string | undefined {
  const { etag } = headers
  return etag !== undefined && /^"[^"]*"$/.test(etag) ? etag : undefined
}

/** Milliseconds that Retry-After asks to wait, given as seconds or as a date. RFC 9110 §10.2.3. */
export function retryAfterMs(headers: IncomingHttpHeaders, now: number): number | undefined {
  const text = headers['retry-after']?.trim() ?? ''
  const seconds = integer(text)
  if (seconds !== undefined) return seconds * 1000
  const date = /[A-Za-z]/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - now)
}

/** Digits only: Number() would also take 1e9, 0x10 and blanks. */
function integer(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}
