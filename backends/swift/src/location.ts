import type { LocationCodec } from 'mullion'
import { badLocation } from './errors.ts'

/** Where an object is. `uri` is the text as it was given. */
export type SwiftLocation = UrlLocation | ReferenceLocation | CredentialLocation

interface Place {
  readonly uri: string
  readonly container: string
  readonly object: string
}

/** `swift+https://host/v1/AUTH_x/container/object` */
export interface UrlLocation extends Place {
  readonly form: 'url'
  readonly storageUrl: string
}

/** `swift+config://reference/container/object` */
export interface ReferenceLocation extends Place {
  readonly form: 'reference'
  readonly reference: string
}

/** `swift+https://account:user:key@authhost/v1/container/object`: read, never written. */
export interface CredentialLocation extends Place {
  readonly form: 'credentials'
  readonly authUrl: string
  readonly user: string
  readonly key: string
}

export const SCHEMES = ['swift+https', 'swift+http', 'swift', 'swift+config'] as const

const MAX_LENGTH = 4096

/** What mullion allows as a key. */
export const KEY: RegExp = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/

export const location: LocationCodec<SwiftLocation> = {
  key: ({ object }) => (KEY.test(object) ? object : undefined),
  parse: parseUri,
  format: ({ uri }) => uri,
}

/** Throws `invalid_location`, whose message holds nothing of the text. */
function parseUri(uri: string): SwiftLocation {
  if (uri.length > MAX_LENGTH) throw badLocation(`longer than ${MAX_LENGTH} characters`)
  if (/[\p{Cc}\p{Z}\\]/u.test(uri)) throw badLocation('holds control characters, blanks or backslashes')
  const [, scheme = '', rest = ''] = /^(swift(?:\+https?|\+config)?):\/\/(.*)$/.exec(uri) ?? []
  if (rest === '') throw badLocation('expected swift+https://…, swift+http://…, swift://… or swift+config://…')
  if (/[?#]/.test(rest)) throw badLocation('a Swift location has no query and no fragment; encode ? and # in names')
  const { front, container, object } = split(rest)
  const place = { uri, container: segment(container), object: segment(object) }
  if (scheme === 'swift+config') {
    if (!/^[A-Za-z0-9._-]+$/.test(front)) throw badLocation('expected swift+config://reference/container/object')
    return { form: 'reference', reference: front, ...place }
  }
  const protocol = scheme === 'swift+http' ? 'http' : 'https'
  const [host, credentials, ...more] = front.split('@').toReversed()
  if (more.length > 0) throw badLocation('more than one "@"; write it as %40')
  const url = webUrl(`${protocol}://${host ?? ''}`)
  if (credentials === undefined) return { form: 'url', storageUrl: url, ...place }
  return { form: 'credentials', authUrl: url, ...userAndKey(credentials), ...place }
}

/** Storage URL and names as a location. */
export function urlLocation(storageUrl: string, container: string, object: string): UrlLocation {
  const uri = `swift+${storageUrl}/${encodeURIComponent(container)}/${encodeURIComponent(object)}`
  return { form: 'url', uri, storageUrl, container, object }
}

export function referenceLocation(reference: string, container: string, object: string): ReferenceLocation {
  const uri = `swift+config://${reference}/${encodeURIComponent(container)}/${encodeURIComponent(object)}`
  return { form: 'reference', uri, reference, container, object }
}

/** The object is the last segment, the container the one before it (glance_store _drivers/swift/store.py, parse_uri). */
function split(rest: string): { front: string; container: string; object: string } {
  const [, front, container, object] = /^(.+)\/([^/]+)\/([^/]+)$/.exec(rest) ?? []
  if (front === undefined || container === undefined || object === undefined)
    throw badLocation('expected …/container/object')
  return { front, container, object }
}

/** A name within a path. Glance wrote names as they are, so a text that is no percent-encoding stands for itself. */
function segment(encoded: string): string {
  const name = decoded(encoded) ?? encoded
  if (name === '.' || name === '..' || /[/\p{Cc}]/u.test(name))
    throw badLocation('a name is ".", ".." or holds a slash')
  return name
}

/** Stricter than the WHATWG parser, which repairs what it is given: the URL must be what it would make of it. */
function webUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const canonical = url?.href.replace(/\/$/, '')
  if (url === undefined || url.username !== '' || canonical === undefined || url.hostname === '')
    throw badLocation('no valid address')
  const isDefaultPort = text.replace(/:(80|443)(?=\/|$)/, '') === canonical
  if (canonical !== text && !isDefaultPort) throw badLocation('the address is not in its canonical form')
  if (/%|\/\//.test(url.pathname)) throw badLocation('the path before the container is not plain')
  return canonical
}

/** `account:user:key` with percent-encoded user and key; the key is what follows the last colon. */
function userAndKey(credentials: string): { user: string; key: string } {
  const [, encodedUser, encodedKey] = /^(.+):([^:]+)$/.exec(credentials) ?? []
  const user = decoded(encodedUser ?? '')
  const key = decoded(encodedKey ?? '')
  if (!user || !key || /\p{Cc}/u.test(user + key))
    throw badLocation('credentials must be account:user:key, percent-encoded')
  return { user, key }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
