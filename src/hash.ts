import { createHash, getHashes, type Hash } from 'node:crypto'
import { MullionError } from './errors.ts'

/** Any digest of the OpenSSL that Node was built with; the common ones by name. */
export type HashName = 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512' | 'sha3-256' | 'sha3-512' | (string & {})

/** Lower-case hex by algorithm. */
export type Hashes = Readonly<Record<string, string>>

/** md5 is Glance's `checksum`, sha512 its default `os_hash_algo`. */
export const DEFAULT_HASHES: readonly HashName[] = ['md5', 'sha512']

/** The digests of one pass over the bytes. */
export interface Digests {
  update(chunk: Uint8Array): void
  /** Ends the pass. Called once. */
  digest(): Hashes
}

/** Throws `invalid_argument` for an algorithm Node does not have, before any byte is read. */
export function startDigests(names: Iterable<HashName>): Digests {
  const running: [HashName, Hash][] = [...new Set(names)].map((name) => [name, start(name)])
  return {
    update(chunk) {
      for (const [, hash] of running) hash.update(chunk)
    },
    digest: () => Object.fromEntries(running.map(([name, hash]) => [name, hash.digest('hex')])),
  }
}

function start(name: HashName): Hash {
  try {
    return createHash(name)
  } catch (cause) {
    throw new MullionError('invalid_argument', `hashes: no algorithm "${name}"; known: ${getHashes().join(', ')}`, {
      details: { name: 'hashes' },
      cause,
    })
  }
}
