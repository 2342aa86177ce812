import { Readable } from 'node:stream'
import { type ByteSource, collect, createStores, memory } from 'mullion'
import { oneByteSource, seededBytes } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { openSource } from '../src/source.ts'

const bytes = seededBytes(1, 700_000)

async function* generated(): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, 10)
  yield new Uint8Array()
  yield bytes.subarray(10)
}

const REPLAYABLE: readonly (readonly [string, ByteSource, number | undefined])[] = [
  ['bytes', bytes, bytes.byteLength],
  ['a Buffer', Buffer.from(bytes), bytes.byteLength],
  ['a Blob', new Blob([bytes.slice()]), bytes.byteLength],
  ['an array of chunks', [bytes.subarray(0, 3), bytes.subarray(3)], bytes.byteLength],
  ['a function', generated, undefined],
  ['a function that answers a Readable', () => Readable.from(generated()), undefined],
]

describe('openSource', () => {
  it.each(REPLAYABLE)('reads %s as often as it is asked to', async (_what, from, size) => {
    const source = openSource(from)
    expect(source).toMatchObject({ replayable: true, size })
    for (let times = 0; times < 2; times += 1) expect(Buffer.compare(await collect(source.open()), bytes)).toBe(0)
  })

  it.each<readonly [string, () => ByteSource]>([
    ['an async generator', generated],
    ['a Readable', () => Readable.from(generated())],
    ['a ReadableStream', () => new Blob([bytes.slice()]).stream()],
    ['an iterator of chunks', () => [bytes].values()],
  ])('reads %s once', async (_what, make) => {
    const source = openSource(make())
    expect(source).toMatchObject({ replayable: false, size: undefined })
    expect(Buffer.compare(await collect(source.open()), bytes)).toBe(0)
  })

  it('hands large bytes on in slices, without copying them', async () => {
    for await (const chunk of openSource(bytes).open()) {
      expect(chunk.byteLength).toBeLessThanOrEqual(256 * 1024)
      expect(chunk.buffer).toBe(bytes.buffer)
    }
  })

  it.each([undefined, null, 'text', 5, {}, new ArrayBuffer(3)])('refuses %o', (value) => {
    expect(() => openSource(value as never)).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
  })
})

describe('add', () => {
  it.each<readonly [string, () => unknown]>([
    ['numbers', () => [1, 2, 3]],
    ['a set of numbers', () => new Set([1])],
    ['wide words', () => new Uint16Array([1, 2])],
    ['text chunks', () => Readable.from(['text'])],
    ['a function that answers text', () => () => 'text'],
  ])('refuses a source of %s, and stores nothing', async (_what, make) => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    await expect(stores.add('x', make() as ByteSource)).rejects.toMatchObject({ code: 'invalid_argument' })
    await expect(stores.getSizeFromBackend('memory://x')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('stores the same bytes whatever the chunks', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const small = bytes.subarray(0, 3000)
    const whole = await stores.add('whole', small)
    const single = await stores.add('single', oneByteSource(small), { size: 3000 })
    expect(single.hashes).toEqual(whole.hashes)
    const { body } = await stores.get(single.location)
    expect(Buffer.compare(await collect(body), small)).toBe(0)
  })
})
