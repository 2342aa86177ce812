import type { LocationCodec } from 'mullion'
import { failure } from './errors.ts'

/** One object. `gs://bucket/name`, the name percent-encoded but for its slashes. */
export interface GcsLocation {
  readonly bucket: string
  readonly object: string
  /** Known right after a write only, and no part of the text: removes just what was written. */
  readonly generation?: string | undefined
}

export function gcsLocation(prefix: string): LocationCodec<GcsLocation> {
  return { parse: parseUri, format: formatUri, key: ({ object }) => keyWithout(prefix, object) }
}

/** https://cloud.google.com/storage/docs/objects#naming */
const MAX_NAME_BYTES = 1024
/** Every byte of a name as `%XX`, and the bucket with its dots. */
const MAX_LENGTH = 3 * MAX_NAME_BYTES + 300

/**
 * Takes only the one way to write an address that `format` has. `.` and `..` are names to Google, but steps to whatever
 * reads URLs in between: they are refused. Throws `invalid_location`, whose message holds nothing of the text.
 */
export function parseUri(uri: string): GcsLocation {
  if (uri.length > MAX_LENGTH) throw refused(`longer than ${MAX_LENGTH} characters`)
  const [, bucket = '', encoded = ''] = /^gs:\/\/([^/]*)\/(.+)$/s.exec(uri) ?? []
  if (bucket === '' || encoded === '') throw refused('expected gs://bucket/name')
  if (!isBucketName(bucket)) throw refused('no valid name of a bucket')
  const object = decoded(encoded)
  const at = { bucket, object }
  if (formatUri(at) !== uri) throw refused('the name is not percent-encoded as it should be')
  if (Buffer.byteLength(object) > MAX_NAME_BYTES) throw refused(`a name longer than ${MAX_NAME_BYTES} bytes`)
  if (/\p{Cc}/u.test(object)) throw refused('a name with control characters')
  if (object.split('/').some((part) => part === '.' || part === '..')) throw refused('a name with "." or ".." in it')
  return at
}

export function formatUri({ bucket, object }: GcsLocation): string {
  return `gs://${bucket}/${object.split('/').map(encodeURIComponent).join('/')}`
}

/** https://cloud.google.com/storage/docs/buckets#naming */
export function isBucketName(text: string): boolean {
  if (!/^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/.test(text)) return false
  return text.split('.').every((part) => part.length >= 1 && part.length <= 63)
}

/** What mullion allows as a key. */
const KEY = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/

/** The key of an object as `write` was given it; undefined for what cannot be one of the store's. */
export function keyWithout(prefix: string, object: string): string | undefined {
  const key = object.startsWith(prefix) ? object.slice(prefix.length) : ''
  return KEY.test(key) ? key : undefined
}

/** Throws `invalid_argument` for what is no key of mullion. */
export function checkedKey(key: string): string {
  if (KEY.test(key)) return key
  throw failure('invalid_argument', 'key: expected 1 to 255 of A-Za-z0-9._-', { name: 'key' })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refused('the name is not percent-encoded UTF-8')
  }
}

function refused(reason: string): ReturnType<typeof failure<'invalid_location'>> {
  return failure('invalid_location', reason, { reason })
}
