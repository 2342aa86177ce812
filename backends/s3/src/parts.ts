import type { ByteStream } from 'mullion'
import { digester, type Payload } from './payload.ts'
import type { Integrity } from './vendor.ts'

export interface Part extends Payload {
  /** From 1. */
  readonly number: number
  /** Whether the body ended with it. */
  readonly last: boolean
}

export interface Parts {
  /** The next `size` bytes, or what is left of the body; not even one byte only when the body is empty. */
  next(size: number): Promise<Part>
  /** Gives the memory of a part back, once nobody reads it any more. */
  reuse(part: Part): void
  /** Leaves the body. */
  leave(): Promise<void>
}

export const BLOCK: number = 1024 ** 2

/**
 * Cuts a body into parts. The bytes are copied into blocks that are used again: of 1 GiB in chunks of 64 KiB that were
 * kept until their part was sent, the collector let 1.2 GB pile up, while a copy costs a tenth of a digest.
 */
export function partsOf(body: ByteStream, integrity: Integrity): Parts {
  const iterator = body[Symbol.asyncIterator]()
  const free: Buffer[] = []
  let rest: Uint8Array | undefined
  let number = 0

  /** Undefined at the end of the body. */
  async function chunk(): Promise<Uint8Array | undefined> {
    for (;;) {
      const { done, value } = await iterator.next()
      if (done) return undefined
      if (value.byteLength > 0) return value
    }
  }

  return {
    async next(size) {
      const blocks: Buffer[] = []
      const digest = digester(integrity)
      let length = 0
      let piece = rest ?? (await chunk())
      while (piece && length < size) {
        const at = length % BLOCK
        if (at === 0) blocks.push(free.pop() ?? Buffer.allocUnsafeSlow(BLOCK))
        const taken = piece.subarray(0, Math.min(BLOCK - at, size - length))
        blocks.at(-1)?.set(taken, at)
        digest.update(taken)
        length += taken.byteLength
        piece = taken.byteLength < piece.byteLength ? piece.subarray(taken.byteLength) : await chunk()
      }
      rest = piece
      number += 1
      return { number, blocks, size: length, digest: digest.end(), last: piece === undefined }
    },
    reuse({ blocks }) {
      free.push(...blocks)
    },
    async leave() {
      rest = undefined
      free.length = 0
      await iterator.return?.()
    },
  }
}
