import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Chunk, chunksOf } from '../src/chunks.ts'
import { crc32c } from '../src/crc32c.ts'

const SIZE = 16

async function* inPieces(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0
  for (const length of lengths) {
    yield bytes.slice(at, at + length)
    at += length
  }
  yield bytes.slice(at)
}

describe('chunks', () => {
  it('are all bytes in order, each but the last exactly as long as it has to be', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 100 }),
        fc.array(fc.nat(40), { maxLength: 30 }),
        fc.boolean(),
        async (bytes, lengths, isKnown) => {
          const seen: number[] = []
          const ends: unknown[] = []
          const lengthsSeen: number[] = []
          for await (const chunk of chunksOf(inPieces(bytes, lengths), SIZE, isKnown ? bytes.length : undefined)) {
            expect(chunk.start).toBe(seen.length)
            seen.push(...chunk.bytes)
            lengthsSeen.push(chunk.bytes.length)
            ends.push(chunk.end)
          }
          expect(Uint8Array.from(seen)).toEqual(bytes)
          expect(lengthsSeen.slice(0, -1).every((length) => length === SIZE)).toBe(true)
          expect(lengthsSeen.at(-1) === 0).toBe(bytes.length === 0)
          expect(ends.slice(0, -1).every((end) => end === undefined)).toBe(true)
          expect(ends.at(-1)).toEqual({ size: bytes.length, crc32c: crc32c(bytes) })
        },
      ),
    )
  })

  it('keep their bytes while the next one is read', async () => {
    const bytes = Uint8Array.from({ length: SIZE * 5 + 3 }, (_, index) => index)
    const chunks = chunksOf(inPieces(bytes, [7, 30, 1]), SIZE, undefined)
    let held = await chunks.next()
    while (!held.done) {
      const next = await chunks.next()
      const { bytes: kept, start } = held.value
      expect(Uint8Array.from(kept)).toEqual(bytes.subarray(start, start + kept.length))
      held = next
    }
  })

  it('lie in two buffers only', async () => {
    const buffers = new Set<ArrayBufferLike>()
    for await (const chunk of chunksOf(inPieces(new Uint8Array(SIZE * 20), []), SIZE, undefined)) {
      buffers.add(chunk.bytes.buffer)
    }
    expect(buffers.size).toBe(2)
  })

  it('take no more memory than a small body needs', async () => {
    const first: IteratorResult<Chunk, undefined> = await chunksOf(inPieces(new Uint8Array(3), []), 2 ** 30, 3).next()
    expect(first.value?.bytes.buffer.byteLength).toBe(3)
  })

  it('end without a last one when the body fails', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(SIZE + 1)
      throw new Error('the source failed')
    }
    const chunks = chunksOf(failing(), SIZE, undefined)
    expect((await chunks.next()).value?.end).toBeUndefined()
    await expect(chunks.next()).rejects.toThrow('the source failed')
  })
})
