import { isIPv6 } from 'node:net'
import type { LocationCodec } from 'mullion'

/** A file on a server. */
export interface SftpLocation {
  /** Undefined when the location names none. */
  readonly user: string | undefined
  /** In lower case; an IPv6 address without brackets. */
  readonly host: string
  readonly port: number
  /** Absolute. */
  readonly path: string
}

const DEFAULT_PORT = 22
const FORM = /^sftp:\/\/(?:([^@/]*)@)?(\[[^\]/]*\]|[^:@/[\]]*)(?::([^/]*))?\/(.*)$/s

/** What `write` accepts as a key. */
export const KEY: RegExp = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/

/**
 * `sftp://user@host:port/absolute/path` as in draft-ietf-secsh-scp-sftp-ssh-uri-04, percent-encoded by segment, the path
 * always absolute. Messages repeat nothing of the text, which may hold a password in the wrong place.
 */
export const location: LocationCodec<SftpLocation> = {
  key({ path }) {
    const name = path.slice(path.lastIndexOf('/') + 1)
    return KEY.test(name) ? name : undefined
  },
  parse(uri) {
    // oxlint-disable-next-line no-control-regex -- they have no place in a URI
    if (/[\u0000-\u0020\u007f\\]/.test(uri))
      throw new Error('an sftp location has no blanks, control characters, backslashes')
    if (/[?#]/.test(uri)) throw new Error('an sftp location has no query and no fragment; encode ? and #')
    const [, user, host = '', port, path] = FORM.exec(uri) ?? []
    if (path === undefined) throw new Error('expected sftp://user@host:port/absolute/path')
    return { user: parseUser(user), host: parseHost(host), port: parsePort(port), path: parsePath(path) }
  },
  format({ user, host, port, path }) {
    const login = user === undefined ? '' : `${encodeURIComponent(user)}@`
    const name = host.includes(':') ? `[${host}]` : host
    const number = port === DEFAULT_PORT ? '' : `:${port}`
    return `sftp://${login}${name}${number}${path.split('/').map(encodeURIComponent).join('/')}`
  },
}

function parseUser(encoded: string | undefined): string | undefined {
  if (encoded === undefined) return undefined
  if (encoded.includes(':')) throw new Error('an sftp location holds no password; encode a colon in the user name')
  const user = decoded(encoded)
  if (user === '') throw new Error('an sftp location has a user in front of the @')
  return user
}

function parseHost(text: string): string {
  const host = text.toLowerCase()
  if (host.startsWith('[')) {
    const address = host.slice(1, -1)
    if (isIPv6(address) && !address.includes('%')) return address // a zone means something to one machine only
  } else if (/^[a-z0-9._-]+$/.test(host)) return host
  throw new Error('expected a host name or an address; an IPv6 address in brackets')
}

function parsePort(text: string | undefined): number {
  if (text === undefined) return DEFAULT_PORT
  if (!/^[1-9]\d{0,4}$/.test(text) || Number(text) > 65_535) throw new Error('expected a port from 1 to 65535')
  return Number(text)
}

function parsePath(encoded: string): string {
  return `/${encoded.split('/').map(parseSegment).join('/')}`
}

function parseSegment(encoded: string): string {
  const segment = decoded(encoded)
  if (segment === '' || segment === '.' || segment === '..') {
    throw new Error('an sftp location has no empty segments, no "." and no ".."')
  }
  if (/[/\0]/.test(segment)) throw new Error('a segment of an sftp location holds neither slash nor NUL')
  return segment
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new Error('an sftp location is percent-encoded UTF-8')
  }
}
