import { type LocationCodec, MullionError } from 'mullion'
import type { S3Settings } from './config.ts'

/** An object in a bucket. Region and endpoint are the store's business, not the location's. */
export interface S3Location {
  readonly bucket: string
  readonly key: string
  /** The service that a location of Glance names, in lower case. */
  readonly host?: string | undefined
}

/** Reads `s3://bucket/key` and what Glance recorded; writes the former only. Throws `invalid_location`. */
export function s3Location(prefix: string): LocationCodec<S3Location> {
  return { parse, format, key: ({ key }) => keyWithout(prefix, key) }
}

/** What mullion allows as a key. */
const KEY = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/

/** The key of an object as `write` was given it; undefined for what cannot be one of the store's. */
export function keyWithout(prefix: string, name: string): string | undefined {
  const key = name.startsWith(prefix) ? name.slice(prefix.length) : ''
  return KEY.test(key) ? key : undefined
}

/** Throws `invalid_argument` for what is no key of mullion. */
export function checkedKey(key: string): string {
  if (KEY.test(key)) return key
  throw new MullionError('invalid_argument', 's3 store: key: expected 1 to 255 of A-Za-z0-9._-', {
    details: { name: 'key' },
  })
}

/** Whether the location lies in the store: its bucket, below its prefix, on its service as far as the location says. */
export function ownedBy(
  { bucket, prefix, endpoint, legacyHosts }: Pick<S3Settings, 'bucket' | 'prefix' | 'endpoint' | 'legacyHosts'>,
  at: S3Location,
): boolean {
  if (at.bucket !== bucket || !at.key.startsWith(prefix) || at.key.length === prefix.length) return false
  const { host } = at
  if (host === undefined || legacyHosts.includes(host)) return true
  return endpoint === undefined ? /(^|\.)amazonaws\.com(\.cn)?$/.test(host) : sameHost(new URL(endpoint), host)
}

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }

function sameHost({ protocol, hostname, port }: URL, host: string): boolean {
  const usual = DEFAULT_PORTS[protocol]
  return host === `${hostname}:${port === '' ? usual : port}` || (port === '' && host === hostname)
}

const BUCKET = /^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/

function format({ bucket, key }: S3Location): string {
  return `s3://${bucket}/${key}`
}

function parse(uri: string): S3Location {
  const [, scheme = '', rest = ''] = /^(s3(?:\+https?)?):\/\/(.*)$/s.exec(uri) ?? []
  const isLegacy = scheme !== 's3' || rest.includes('@')
  return isLegacy ? parseLegacy(rest) : parsePlain(rest)
}

function parsePlain(rest: string): S3Location {
  const slash = rest.indexOf('/')
  if (slash < 0) throw refused('expected s3://bucket/key')
  return checked({ bucket: rest.slice(0, slash), key: rest.slice(slash + 1) })
}

/**
 * `[access:secret@]host[/prefix]/bucket/key`, in which the secret may hold slashes: openstack/glance_store
 * _drivers/s3.py, parse_uri. The credentials are dropped: the store has its own.
 */
function parseLegacy(rest: string): S3Location {
  const parts = rest.slice(rest.lastIndexOf('@') + 1).split('/')
  const [host = '', bucket = '', key = ''] = [parts[0], parts.at(-2), parts.at(-1)]
  if (parts.length < 3) throw refused('expected s3+https://host/bucket/key')
  if (!/^[A-Za-z0-9.-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](:\d{1,5})?$/.test(host)) throw refused('the host is no host')
  return { ...checked({ bucket, key }), host: host.toLowerCase() }
}

/** Refuses what a proxy, a signer or a file system on the way could read differently than the service does. */
function checked(at: S3Location): S3Location {
  const { bucket, key } = at
  if (!BUCKET.test(bucket)) throw refused('the bucket is no name of a bucket')
  if (Buffer.byteLength(key) > 1024) throw refused('the key is longer than 1,024 bytes')
  if (/[\p{C}\p{Zl}\p{Zp}\\%?#@]/u.test(key)) throw refused('the key holds control characters or one of \\ % ? # @')
  if (key.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    throw refused('the key has a segment that is empty, . or ..')
  }
  return at
}

function refused(reason: string): MullionError<'invalid_location'> {
  return new MullionError('invalid_location', `s3 store: ${reason}`, { details: { reason } })
}
