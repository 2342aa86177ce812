import { createHash, getHashes } from 'node:crypto'
import { MullionError, startDigests } from 'mullion'
import { type Image, idKey } from 'mullion/images'

/** What the data of an image has to be, as its record says. */
export interface Content {
  /** Names the image and these bytes: other bytes have another key, and so does another image with the same bytes. */
  readonly key: string
  readonly imageId: string
  readonly size: number
  readonly digests: readonly Digest[]
}

interface Digest {
  readonly algorithm: string
  /** Lower case. */
  readonly hex: string
}

/**
 * Undefined for data that nothing could tell from other data: without a size or a digest in the record, or with a
 * digest that cannot be computed here.
 */
export function contentOf({ id, size, checksum, hashAlgorithm, hashValue }: Image): Content | undefined {
  if (!size) return undefined
  const digests: Digest[] = []
  if (checksum) digests.push({ algorithm: 'md5', hex: checksum.toLowerCase() })
  if (hashAlgorithm && hashValue) {
    const algorithm = hashAlgorithm.toLowerCase().replaceAll('_', '-') // sha3_512 in Python, sha3-512 in OpenSSL
    digests.push({ algorithm, hex: hashValue.toLowerCase() })
  }
  if (digests.length === 0 || digests.some(({ algorithm }) => !KNOWN.has(algorithm))) return undefined
  const key = createHash('sha256')
    .update(JSON.stringify([idKey(id), size, digests]))
    .digest('hex')
  return { key, imageId: id, size, digests }
}

const KNOWN: ReadonlySet<string> = new Set(getHashes().map((name) => name.toLowerCase()))

/** One pass over the bytes of a content. */
export interface Check {
  /** Await it: digests in other threads are only so far behind. */
  update(chunk: Uint8Array): void | Promise<void>
  /** Rejects `hash_mismatch`. Called once, after the last byte. */
  verify(): Promise<void>
  /** Releases what the digests hold. Call it in any case. */
  drop(): void
}

/** Of all digests, or of so many: one tells whether bytes are still what they were when all were right. */
export function startCheck({ imageId, digests }: Content, count: number = digests.length): Check {
  const checked = digests.slice(0, count)
  const running = startDigests(checked.map(({ algorithm }) => algorithm))
  return {
    update: (chunk) => running.update(chunk),
    async verify() {
      const found = await running.digest()
      for (const { algorithm, hex } of checked) {
        const actual = found[algorithm] ?? ''
        if (actual === hex) continue
        throw new MullionError('hash_mismatch', `image ${imageId}: expected ${algorithm} ${hex}, got ${actual}`, {
          details: { algorithm, expected: hex, actual },
          context: { imageId },
        })
      }
    },
    drop: () => running.drop(),
  }
}
