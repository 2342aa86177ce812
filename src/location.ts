import { inspect } from 'node:util'
import { MullionError } from './errors.ts'

const URI: unique symbol = Symbol.for('mullion.location.uri') as never

/** Where the bytes of one object are. A frozen value; whatever prints it prints the redacted form. */
export interface Location {
  readonly scheme: string
  /** Name of the store that holds it. */
  readonly store: string
  /** Redacted. */
  toString(): string
  /** Redacted. */
  toJSON(): string
  readonly [URI]: string
}

/** A recorded location: `store` tells stores of one scheme apart, and may be left out or out of date. */
export interface LocationRef {
  readonly uri: string
  readonly store?: string | undefined
}

export type LocationLike = string | Location | LocationRef

export function makeLocation(scheme: string, store: string, uri: string): Location {
  const shown = redactUri(uri)
  const print = { value: () => shown }
  const location = Object.create(null, {
    scheme: { value: scheme, enumerable: true },
    store: { value: store, enumerable: true },
    toString: print,
    toJSON: print,
    [inspect.custom]: print,
    [URI]: { value: uri },
  }) as Location
  return Object.freeze(location)
}

/** The URI as it must be recorded, secrets included. The name is meant to be noticed in review. */
export function revealUri(location: LocationLike): string {
  return asRef(location).uri
}

export function asRef(location: LocationLike): LocationRef {
  if (typeof location === 'string') return { uri: location }
  if (URI in location) return { uri: location[URI], store: location.store }
  return location
}

/** The scheme in lower case. Throws `invalid_location` when the text has none. */
export function schemeOf(uri: string): string {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(uri)?.[1]
  if (scheme !== undefined) return scheme.toLowerCase()
  throw new MullionError('invalid_location', `location ${redactUri(uri)}: expected scheme://…`, {
    details: { reason: 'no scheme' },
  })
}

/**
 * The text without what may be secret: user information and the query (signatures of presigned URLs). Some secrets
 * hold unescaped slashes (`s3://key:se/cret@host/…`), hence all up to the last `@` goes; with an `@` behind the first
 * `?` or `#` nothing but the scheme is certain to be no part of one.
 */
export function redactUri(uri: string): string {
  const start = uri.indexOf('://')
  if (start < 0) return uri.includes('@') ? '***' : uri.replace(/[?#].*$/s, '?***')
  const rest = uri.slice(start + 3)
  const end = rest.search(/[?#]/)
  if (end >= 0 && rest.includes('@', end)) return `${uri.slice(0, start + 3)}***`
  const path = end < 0 ? rest : rest.slice(0, end)
  const at = /^\/[^:]*$/.test(path) ? -1 : path.lastIndexOf('@')
  return `${uri.slice(0, start + 3)}${at < 0 ? path : `***${path.slice(at)}`}${end < 0 ? '' : '?***'}`
}

/** Redacts every URI within a message, for errors of SDKs that quote their requests. */
export function redactText(text: string): string {
  return text.replace(/[A-Za-z][A-Za-z0-9+.-]*:\/\/[^\s"'<>]+/g, redactUri)
}
