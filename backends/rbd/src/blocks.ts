import type { ByteStream } from 'mullion'

export interface Block {
  readonly offset: number
  readonly pieces: readonly Uint8Array[]
  readonly bytes: number
}

/** Cuts a stream at the multiples of `size`; nothing is copied. */
export async function* blocksOf(body: ByteStream, size: number): AsyncGenerator<Block> {
  let pieces: Uint8Array[] = []
  let bytes = 0
  let offset = 0
  for await (const chunk of body) {
    for (let from = 0; from < chunk.byteLength; ) {
      const to = Math.min(chunk.byteLength, from + size - bytes)
      pieces.push(chunk.subarray(from, to))
      bytes += to - from
      from = to
      if (bytes < size) continue
      yield { offset, pieces, bytes }
      offset += bytes
      pieces = []
      bytes = 0
    }
  }
  if (bytes > 0) yield { offset, pieces, bytes }
}
