import { MullionError } from '../errors.ts'
import { redactUri, schemeOf } from '../location.ts'
import type { Ports } from './ports.ts'

/**
 * Schemes that no user may name: they address the server's own files, or storage that the server reaches with the
 * operator's credentials, where whoever names a location could read and delete the images of others. (Glance refuses
 * file, filesystem and swift+config; its Swift and S3 locations carry the user's own credentials, ours never do.)
 */
export const REFUSED_SCHEMES: readonly string[] = [
  'file',
  'filesystem',
  'memory',
  's3',
  's3+http',
  's3+https',
  'swift',
  'swift+http',
  'swift+https',
  'swift+config',
  'gs',
  'sftp',
  'rbd',
  'cinder',
  'sheepdog',
]

/**
 * Whether a user may have data copied from, or registered at, this URI. Looks at the text alone, before any I/O: asking
 * a backend first would tell strangers what exists. Throws `invalid_location` or `unknown_scheme`.
 */
export function assertExternalSource(
  { stores }: Pick<Ports, 'stores'>,
  uri: string,
  { refusedSchemes = REFUSED_SCHEMES }: { readonly refusedSchemes?: readonly string[] } = {},
): void {
  // control characters and blanks hide a scheme from one parser and show it to the next
  const plain = /^[\x21-\x7e\u00a0-\u{10ffff}]+$/u.test(uri)
  if (!plain || refusedSchemes.includes(schemeOf(uri))) {
    throw new MullionError('invalid_location', `source ${redactUri(uri)}: not an external source`, {
      details: { reason: plain ? 'refused scheme' : 'blank or control character' },
    })
  }
  stores.getStoreFromLocation(uri)
}
