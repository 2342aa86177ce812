import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { seededBytes, seededStream } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { BLOCK, partsOf } from '../src/parts.ts'
import { outgoing, type Payload } from '../src/payload.ts'

async function sent(part: Payload): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of outgoing(part, () => {}).stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

describe('parts', () => {
  it.each([
    [0, [0]],
    [1, [1]],
    [99, [99]],
    [100, [100]],
    [101, [100, 1]],
    [200, [100, 100]],
    [250, [100, 100, 50]],
  ])('cuts %o bytes into %o', async (size, lengths) => {
    for (const chunk of [1, 7, 100, 1000]) {
      const parts = partsOf(seededStream(1, size, chunk), 'none')
      const seen: number[] = []
      for (let at = 0, last = false; !last; ) {
        const part = await parts.next(100)
        expect(Buffer.compare(await sent(part), seededBytes(1, part.size, at))).toBe(0)
        expect(part.number).toBe(seen.length + 1)
        seen.push(part.size)
        at += part.size
        last = part.last
        parts.reuse(part)
      }
      expect(seen).toEqual(lengths)
    }
  })

  it('uses the memory of a part again, also for larger parts', async () => {
    const parts = partsOf(seededStream(1, 9 * BLOCK), 'none')
    const [first, second] = [await parts.next(2 * BLOCK), await parts.next(BLOCK + 1)]
    expect(second.blocks.some((block) => first.blocks.includes(block))).toBe(false)
    parts.reuse(first)
    parts.reuse(second)
    const larger = await parts.next(5 * BLOCK)
    expect(larger.blocks.filter((block) => [...first.blocks, ...second.blocks].includes(block))).toHaveLength(4)
    expect(Buffer.compare(await sent(larger), seededBytes(1, 5 * BLOCK, 3 * BLOCK + 1))).toBe(0)
  })

  it('tells the digest of each part', async () => {
    const bytes = seededBytes(1, 150)
    const second = bytes.subarray(100)
    const word = Buffer.alloc(4)
    word.writeUInt32BE(crc32(second))
    const digests = {
      md5: { ContentMD5: createHash('md5').update(second).digest('base64') },
      crc32: { ChecksumCRC32: word.toString('base64') },
      none: {},
    } as const
    for (const integrity of ['md5', 'crc32', 'none'] as const) {
      const parts = partsOf(seededStream(1, 150, 7), integrity)
      await parts.next(100)
      expect((await parts.next(100)).digest).toEqual(digests[integrity])
    }
  })

  it('sends a part as often as asked', async () => {
    const parts = partsOf(seededStream(1, 2_000_000), 'none')
    const part = await parts.next(2_000_000)
    for (const _ of [1, 2]) expect(Buffer.compare(await sent(part), seededBytes(1, 2_000_000))).toBe(0)
  })

  it('knows when all of it was handed over, and tells of each block', async () => {
    let told = 0
    const alive = (): void => void (told += 1)
    const { stream, whole } = outgoing({ blocks: [Buffer.alloc(9), Buffer.alloc(9)], size: 12, digest: {} }, alive)
    const iterator = stream.iterator()
    await iterator.next()
    expect(whole()).toBe(false)
    while (!(await iterator.next()).done);
    expect(whole()).toBe(true)
    expect(told).toBe(2)
  })
})
