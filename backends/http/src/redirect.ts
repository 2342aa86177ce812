import { badLocation } from './errors.ts'
import { parseUri } from './location.ts'

/** Where a Location header leads, under the rules of a location. Throws `invalid_location`. */
export function redirected(from: URL, header: string | undefined): URL {
  // RFC 9110 §10.2.2: a fragment is for whoever shows the page. Node decodes headers as Latin-1
  const target = Buffer.from(header ?? '', 'latin1')
    .toString()
    .replace(/#.*$/s, '')
  if (target === '') throw badLocation('a redirect without a target')
  const { url, authorization } = parseUri(absolute(from, target))
  if (authorization !== undefined) throw badLocation('a redirect with credentials')
  const to = new URL(url)
  if (from.protocol === 'https:' && to.protocol === 'http:') throw badLocation('a redirect from https to http')
  return to
}

/** Texts with an authority of their own stay as they are, so that it is judged as strictly as that of a location. */
function absolute(from: URL, target: string): string {
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(target)) return target
  if (target.startsWith('//')) return `${from.protocol}${target}`
  if (/[\p{Cc}\p{Z}\\]/u.test(target)) throw badLocation('a redirect to control characters, blanks or backslashes')
  return new URL(target, from).href
}
