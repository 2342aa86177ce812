import type { ByteStream } from 'mullion'
import { crc32c } from './crc32c.ts'

/** A run of the object that one request carries. */
export interface Chunk {
  /** Valid until the one after the next is asked for. */
  readonly bytes: Uint8Array
  /** Where it begins in the object. */
  readonly start: number
  /** Known with the last chunk: bytes of the object, and the checksum of them all. */
  readonly end: { readonly size: number; readonly crc32c: number } | undefined
}

/**
 * Chunks of exactly `chunkSize` bytes, and a last one that is shorter or as long; an empty body is one empty chunk. The
 * bytes are copied into two buffers that take turns, whatever pieces they come in: a source of single bytes would
 * otherwise cost a hundred times their size. `size` is that of the body if known.
 */
export async function* chunksOf(body: ByteStream, chunkSize: number, size: number | undefined): AsyncGenerator<Chunk> {
  const capacity = Math.min(chunkSize, Math.max(size ?? chunkSize, 1))
  let [filling, spare]: [Buffer, Buffer | undefined] = [Buffer.allocUnsafeSlow(capacity), undefined]
  let filled = 0
  let start = 0
  let sum = 0
  for await (const piece of body) {
    sum = crc32c(piece, sum)
    let at = 0
    while (at < piece.byteLength) {
      if (filled === capacity) {
        yield { bytes: filling, start, end: undefined }
        start += capacity
        filled = 0
        ;[filling, spare] = [spare ?? Buffer.allocUnsafeSlow(capacity), filling]
      }
      const taken = piece.subarray(at, at + capacity - filled)
      filling.set(taken, filled)
      filled += taken.byteLength
      at += taken.byteLength
    }
  }
  yield { bytes: filling.subarray(0, filled), start, end: { size: start + filled, crc32c: sum } }
}
