import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { createStores, memory } from 'mullion'
import { seededBytes } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { laneDigest } from '../../src/hash/lane-digest.ts'

const BATCH = 512 * 1024

async function digestOf(chunks: Iterable<Uint8Array>, algorithm = 'sha512'): Promise<string> {
  const digest = laneDigest(algorithm)
  for (const chunk of chunks) await digest.update(chunk)
  return digest.digest()
}

/** Threads that keep the process. */
const held = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort').length
const independent = (bytes: Uint8Array): string => createHash('sha512').update(bytes).digest('hex')

describe('a digest in another thread', () => {
  it.each([0, 1, BATCH - 1, BATCH, BATCH + 1, 5 * BATCH, 5 * BATCH + 7])('is right for %i bytes', async (size) => {
    const bytes = seededBytes(1, size)
    expect(await digestOf([bytes])).toBe(independent(bytes))
  })

  it('is right whatever the chunks, and several at a time do not mix', async () => {
    const bytes = seededBytes(2, 3 * BATCH + 11)
    const cuts = fc.uniqueArray(fc.integer({ min: 0, max: bytes.byteLength }), { maxLength: 12 })
    await fc.assert(
      fc.asyncProperty(fc.array(cuts, { minLength: 1, maxLength: 4 }), async (streams) => {
        const digests = streams.map((at) => {
          const ends = [...at.toSorted((a, b) => a - b), bytes.byteLength]
          return digestOf(ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end)))
        })
        expect(new Set(await Promise.all(digests))).toEqual(new Set([independent(bytes)]))
      }),
      { numRuns: 20 },
    )
  })

  it('leaves the chunk alone and does not read it later', async () => {
    const chunk = seededBytes(3, BATCH)
    const expected = independent(chunk)
    const digest = laneDigest('sha512')
    await digest.update(chunk)
    expect(independent(chunk)).toBe(expected)
    chunk.fill(0)
    expect(await digest.digest()).toBe(expected)
  })

  it('can be dropped before, while and after its bytes move', async () => {
    laneDigest('sha512').drop()
    const dropped = laneDigest('sha512')
    await dropped.update(seededBytes(4, 2 * BATCH))
    dropped.drop()
    const bytes = seededBytes(5, 2 * BATCH)
    expect(await digestOf([bytes])).toBe(independent(bytes))
  })

  it('holds the process no longer when it is dropped while it is given a thread', async () => {
    await digestOf([seededBytes(8, BATCH)])
    const before = held()
    const digest = laneDigest('sha512')
    const update = digest.update(seededBytes(8, 3 * BATCH))
    digest.drop()
    await update
    expect(held()).toBe(before)
  })

  it('lets go of who waits for it when it is dropped', async () => {
    const digest = laneDigest('sha512')
    await digest.update(seededBytes(9, BATCH))
    const before = held()
    const update = digest.update(seededBytes(9, 16 * BATCH))
    expect(update).toBeDefined()
    digest.drop()
    await update
    expect(held()).toBe(before - 1)
  })

  it('makes a source that is faster than the digest wait', async () => {
    const digest = laneDigest('sha512')
    const waits: boolean[] = []
    for (let sent = 0; sent < 40; sent += 1) {
      const wait = digest.update(seededBytes(6, BATCH))
      waits.push(wait !== undefined)
      await wait
    }
    expect(waits).toContain(true)
    expect(await digest.digest()).toHaveLength(128)
  })
})

describe('add', () => {
  it('verifies what another thread computed before the store commits', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const bytes = seededBytes(7, 4 * BATCH)
    const added = await stores.add('right', bytes, { expect: { sha512: independent(bytes) } })
    expect(added.hashes['sha512']).toBe(independent(bytes))
    await expect(stores.add('wrong', bytes, { expect: { sha512: '00' } })).rejects.toMatchObject({
      code: 'hash_mismatch',
    })
    await expect(stores.getSizeFromBackend('memory://wrong')).rejects.toMatchObject({ code: 'not_found' })
  })
})
