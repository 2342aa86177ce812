import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import type { Integrity } from './vendor.ts'

/** Bytes that can be sent again and again, and their digest. */
export interface Payload {
  /** All full but the last. */
  readonly blocks: readonly Buffer[]
  readonly size: number
  readonly digest: Digest
}

/** As the API wants it. */
export interface Digest {
  readonly ContentMD5?: string
  readonly ChecksumCRC32?: string
}

/**
 * The bytes as a stream: the SDK would take the SHA-256 of a buffer, and a stream tells how far it got. `whole` is true
 * once all was handed over, `alive` is told of each block.
 */
export function outgoing(
  { blocks, size }: Payload,
  alive: () => void,
): { readonly stream: Readable; whole(): boolean } {
  let index = 0
  let left = size
  const stream = new Readable({
    highWaterMark: 1, // one block ahead is enough
    read() {
      const slice = blocks[index]?.subarray(0, left)
      index += 1
      left -= slice?.length ?? 0
      if (slice) alive()
      this.push(slice ?? null)
    },
  })
  return { stream, whole: () => left === 0 }
}

export interface Digester {
  update(bytes: Uint8Array): void
  end(): Digest
}

export function digester(integrity: Integrity): Digester {
  if (integrity === 'none') return { update() {}, end: () => ({}) }
  if (integrity === 'md5') {
    const hash = createHash('md5')
    return { update: (bytes) => void hash.update(bytes), end: () => ({ ContentMD5: hash.digest('base64') }) }
  }
  let value = 0
  return {
    update(bytes) {
      value = crc32(bytes, value)
    },
    end() {
      const word = Buffer.alloc(4)
      word.writeUInt32BE(value)
      return { ChecksumCRC32: word.toString('base64') }
    },
  }
}
