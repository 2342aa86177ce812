import { ApiError } from '../errors.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
// oxlint-disable-next-line no-control-regex -- the whole of ASCII, controls included
const ASCII = /^[\x00-\x7f]*$/

/** Header text as Node gives it, one character per octet, read as UTF-8. Throws 400 for octets that are none. */
export function decodeOctets(latin1: string): string {
  if (ASCII.test(latin1)) return latin1
  return decodeUtf8(Buffer.from(latin1, 'latin1'))
}

/** Text as one character per UTF-8 octet, which is what Node writes into a header unchanged. */
export function encodeOctets(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** Undoes percent-encoding; a `%` that starts none stays. Throws 400 when the octets are no UTF-8. */
export function decodePercent(text: string): string {
  if (!text.includes('%') && ASCII.test(text)) return text
  const octets = text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return decodeUtf8(Buffer.from(octets, 'latin1'))
}

function decodeUtf8(octets: Buffer): string {
  try {
    return utf8.decode(octets)
  } catch (cause) {
    throw new ApiError(
      400,
      'Error decoding your request. Either the URL or the request body contained characters that could not be decoded.',
      {
        cause,
      },
    )
  }
}
