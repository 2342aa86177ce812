import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { createStores, memory } from 'mullion'
import { describe, expect, it } from 'vitest'
import { startDigests } from '../../src/hash/digests.ts'

const ALGORITHMS = ['md5', 'sha1', 'sha256', 'sha384', 'sha512', 'sha3-256', 'sha3-512'] as const

describe('startDigests', () => {
  it('answers what an independent computation does, whatever the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 }), async (chunks) => {
        const digests = startDigests(ALGORITHMS)
        for (const chunk of chunks) await digests.update(chunk)
        const expected = ALGORITHMS.map((name) => [name, createHash(name).update(Buffer.concat(chunks)).digest('hex')])
        expect(await digests.digest()).toEqual(Object.fromEntries(expected))
      }),
    )
  })

  it('computes a digest named twice once', async () => {
    expect(Object.keys(await startDigests(['md5', 'md5']).digest())).toEqual(['md5'])
  })

  it('knows the digests of nothing', async () => {
    expect(await startDigests(['md5']).digest()).toEqual({ md5: 'd41d8cd98f00b204e9800998ecf8427e' })
    expect(await startDigests([]).digest()).toEqual({})
  })
})

describe('add', () => {
  it('refuses an unknown algorithm before the source is opened', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    let opened = 0
    const source = (): AsyncIterable<Uint8Array> => {
      opened += 1
      return new Blob(['x']).stream()
    }
    for (const options of [{ hashes: ['md6'] }, { expect: { md6: 'x' } }]) {
      await expect(stores.add('x', source, options)).rejects.toMatchObject({
        code: 'invalid_argument',
        details: { name: 'hashes' },
      })
    }
    expect(opened).toBe(0)
  })
})
