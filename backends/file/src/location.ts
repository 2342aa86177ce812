import { basename } from 'node:path'
import type { LocationCodec } from 'mullion'

const SCHEME = /^(?:file|filesystem):\/\/(?=\/)/

/**
 * Absolute POSIX paths, percent-encoded by segment as in RFC 8089 §2. Stricter than `fileURLToPath`: WHATWG parsing
 * resolves `..` and drops tabs, so what it returns need not be what the text says.
 */
export const location: LocationCodec<string> = {
  parse(uri) {
    const scheme = SCHEME.exec(uri)
    if (!scheme) throw new Error('expected file:///absolute/path without a host')
    const path = uri.slice(scheme[0].length)
    if (/[?#]/.test(path)) throw new Error('a file location has no query and no fragment; encode ? and # in names')
    // oxlint-disable-next-line no-control-regex -- they have no place in a URI
    if (/[\u0000-\u001f\u007f]/.test(path)) throw new Error('a file location has no control characters; encode them')
    return `/${path.slice(1).split('/').map(decodeSegment).join('/')}`
  },
  format: (path) => `file://${path.split('/').map(encodeURIComponent).join('/')}`,
  key: (path) => basename(path),
}

function decodeSegment(encoded: string): string {
  const segment = decodeURIComponent(encoded)
  if (segment === '' || segment === '.' || segment === '..') {
    throw new Error('a file location has no empty segments, no "." and no ".."')
  }
  if (/[/\0]/.test(segment)) throw new Error('a segment of a file location holds neither slash nor NUL')
  return segment
}
