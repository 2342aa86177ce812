import assert from 'node:assert/strict'
import type { ByteStream } from '../store.ts'

const CHUNK = 64 * 1024

/** The same bytes for the same seed, from any position: nothing need be kept to compare what comes back. */
export function seededBytes(seed: number, size: number, offset = 0): Uint8Array {
  const first = Math.floor(offset / 4)
  const words = new Uint32Array(Math.ceil((offset + size) / 4) - first)
  for (let index = 0; index < words.length; index += 1) words[index] = mixed(seed, first + index)
  return new Uint8Array(words.buffer, offset - first * 4, size)
}

/** The bytes of `seededBytes`, made while they are read. */
export async function* seededStream(seed: number, size: number, chunkSize: number = CHUNK): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += chunkSize) yield seededBytes(seed, Math.min(chunkSize, size - at), at)
}

export interface SeededRange {
  readonly seed: number
  /** Default 0. */
  readonly offset?: number
  readonly length: number
}

/** Reads the body to its end. Throws an AssertionError naming the first byte that is wrong, missing or too many. */
export async function assertSeeded(body: ByteStream, { seed, offset = 0, length }: SeededRange): Promise<void> {
  let count = 0
  for await (const chunk of body) {
    const room = Math.min(chunk.byteLength, length - count)
    const expected = seededBytes(seed, room, offset + count)
    if (Buffer.compare(chunk.subarray(0, room), expected) !== 0) {
      const wrong = expected.findIndex((byte, index) => byte !== chunk[index])
      assert.fail(`byte ${offset + count + wrong} is ${chunk[wrong]}, expected ${expected[wrong]}`)
    }
    count += chunk.byteLength
    assert.ok(count <= length, `the body has more than the expected ${length} bytes`)
  }
  assert.equal(count, length, `the body ended after ${count} of ${length} bytes`)
}

/** Finaliser of MurmurHash3 over position and seed: cheap, and no two positions are alike by accident. */
function mixed(seed: number, index: number): number {
  let word = (index + Math.imul(seed + 1, 0x9e3779b1)) | 0
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return word ^ (word >>> 16)
}
