import { isIP } from 'node:net'
import type { LocationCodec } from 'mullion'
import { badLocation } from './errors.ts'

/** A web address. `url` has no user information; `authorization` is the header that replaces it. */
export interface HttpLocation {
  /** As it was given. */
  readonly uri: string
  readonly url: string
  readonly authorization: string | undefined
}

export const httpLocation: LocationCodec<HttpLocation> = { parse: parseUri, format: ({ uri }) => uri }

const MAX_LENGTH = 8192

/**
 * Stricter than the WHATWG parser, which repairs what it is given: a text that two parsers could read differently is
 * refused. Throws `invalid_location`, whose message holds nothing of the text.
 */
export function parseUri(uri: string): HttpLocation {
  if (uri.length > MAX_LENGTH) throw badLocation(`longer than ${MAX_LENGTH} characters`)
  if (/[\p{Cc}\p{Z}\\]/u.test(uri)) throw badLocation('holds control characters, blanks or backslashes')
  const [, scheme, authority] = /^(https?):\/\/([^/?#]*)/i.exec(uri) ?? []
  if (scheme === undefined || authority === undefined) throw badLocation('expected http://… or https://…')
  if (uri.includes('#')) throw badLocation('a fragment names no resource')
  const [credentials, hostAndPort] = splitAuthority(authority)
  const host = checkedHost(hostAndPort)
  const url = parsedUrl(uri)
  url.username = ''
  url.password = ''
  if (url.hostname !== host && isIP(host.slice(1, -1)) !== 6) throw badLocation('the host is not in its canonical form')
  return { uri, url: url.href, authorization: credentials === undefined ? undefined : basicAuth(credentials) }
}

function splitAuthority(authority: string): [string | undefined, string] {
  const parts = authority.split('@')
  if (parts.length > 2) throw badLocation('more than one "@" before the path; write it as %40')
  return parts.length === 1 ? [undefined, authority] : [parts[0], parts[1] ?? '']
}

/** The host in lower case; an address of version 6 keeps its brackets. */
function checkedHost(hostAndPort: string): string {
  const [, host = '', port] = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(hostAndPort) ?? []
  if (host === '') throw badLocation('no host')
  if (port !== undefined && (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535)) {
    throw badLocation('the port is not a number from 1 to 65535')
  }
  const lower = host.toLowerCase()
  if (lower.startsWith('[') ? isIP(lower.slice(1, -1)) === 6 : isHostName(lower)) return lower
  throw badLocation('the host is no name in its ASCII form and no address')
}

const LABEL = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$/

/** A name of the DNS in lower case, or the dotted form of an IPv4 address. */
export function isHostName(host: string): boolean {
  return host.length <= 253 && host.split('.').every((label) => label.length <= 63 && LABEL.test(label))
}

function parsedUrl(uri: string): URL {
  try {
    return new URL(uri)
  } catch {
    throw badLocation('no valid URL')
  }
}

/** RFC 7617 §2: UTF-8, and no colon in the user id. */
function basicAuth(credentials: string): string {
  const parts = credentials.split(':')
  if (parts.length !== 2 || parts[0] === '')
    throw badLocation('credentials must be user:password, with : written as %3A')
  const [user = '', password = ''] = parts.map(decoded)
  if (user.includes(':')) throw badLocation('the user name holds a colon')
  if (/\p{Cc}/u.test(user + password)) throw badLocation('the credentials hold control characters')
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw badLocation('the credentials are not percent-encoded UTF-8')
  }
}
