import { createHash, getHashes, type Hash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { invalid } from '../arguments.ts'
import type { Digest } from './digest.ts'
import { laneDigest } from './lane-digest.ts'

/** Any digest of the OpenSSL that Node was built with; the common ones by name. */
export type HashName = 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512' | 'sha3-256' | 'sha3-512' | (string & {})

/** Lower-case hex by algorithm. */
export type Hashes = Readonly<Record<string, string>>

/** md5 is Glance's `checksum`, sha512 its default `os_hash_algo`. */
export const DEFAULT_HASHES: readonly HashName[] = ['md5', 'sha512']

/** The digests of one pass. */
export interface Digests {
  update(chunk: Uint8Array): void | Promise<void>
  digest(): Promise<Hashes>
  drop(): void
}

/** Throws `invalid_argument` for an algorithm Node does not have, before any byte is read. */
export function assertHashes(names: Iterable<HashName>): void {
  for (const name of names) start(name)
}

/**
 * The first algorithm is computed here, the others in another thread where there is a core for it: digests are most of
 * what an upload costs, and two of them side by side take as long as the slower one.
 */
export function startDigests(names: Iterable<HashName>): Digests {
  const spare = availableParallelism() > 1
  const running = [...new Set(names)].map((name, index): readonly [string, Digest] => {
    return [name, index > 0 && spare ? laneDigest(name) : local(name)]
  })
  return {
    update(chunk) {
      const waits = running.map(([, digest]) => digest.update(chunk)).filter((wait) => wait !== undefined)
      if (waits.length > 0) return Promise.all(waits).then(() => {})
    },
    async digest() {
      const values = await Promise.all(running.map(async ([name, digest]) => [name, await digest.digest()] as const))
      return Object.fromEntries(values)
    },
    drop() {
      for (const [, digest] of running) digest.drop()
    },
  }
}

function local(name: HashName): Digest {
  const hash = start(name)
  return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest('hex'), drop() {} }
}

function start(name: HashName): Hash {
  try {
    return createHash(name)
  } catch {
    throw invalid('hashes', `no algorithm "${name}"; known: ${getHashes().join(', ')}`)
  }
}
