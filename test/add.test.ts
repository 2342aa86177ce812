import { createHash } from 'node:crypto'
import { type ByteSource, collect, createStores, memory, type Progress } from 'mullion'
import { oneByteSource, seededBytes, seededStream } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { tiny } from './tiny-store.ts'

const content = seededBytes(3, 1000)
const sources: readonly (readonly [string, (bytes: Uint8Array) => ByteSource])[] = [
  [
    'one chunk',
    (bytes) =>
      (async function* () {
        yield bytes
      })(),
  ],
  ['single bytes', (bytes) => oneByteSource(bytes)],
  ['a function', (bytes) => () => oneByteSource(bytes)],
]

describe('add', () => {
  it('answers where the bytes are, how many, their digests and what the store says of them', async () => {
    const { spec } = tiny({
      with: { write: async (key, body) => ({ at: (await collect(body)) && key, metadata: { part: '1' } }) },
    })
    await using stores = await createStores({ stores: { a: memory(), b: spec }, default: 'a' })
    const added = await stores.add('x', content, { store: 'b', hashes: ['sha256'] })
    expect(added).toMatchObject({ store: 'b', size: 1000, metadata: { part: '1' } })
    expect(added.hashes).toEqual({ sha256: createHash('sha256').update(content).digest('hex') })
    expect([String(added.location), added.location.scheme, added.location.store]).toEqual(['tiny://x', 'tiny', 'b'])
  })

  it('computes md5 and sha512 unless told otherwise, and those that are expected', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const digest = (name: string): string => createHash(name).update(content).digest('hex')
    expect((await stores.add('x', content)).hashes).toEqual({ md5: digest('md5'), sha512: digest('sha512') })
    const { hashes } = await stores.add('y', content, { hashes: [], expect: { sha1: digest('sha1') } })
    expect(hashes).toEqual({ sha1: digest('sha1') })
  })

  it.each(sources)('takes exactly the announced size from %s', async (_what, make) => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    await expect(stores.add('x', make(content), { size: 1000 })).resolves.toMatchObject({ size: 1000 })
    const short = { code: 'size_mismatch', details: { expected: 1001, actual: 1000 } }
    await expect(stores.add('short', make(content), { size: 1001 })).rejects.toMatchObject(short)
    await expect(stores.add('long', make(content), { size: 999 })).rejects.toMatchObject({
      code: 'size_mismatch',
      details: { expected: 999, actual: 1000 },
    })
    await expect(stores.add('none', make(content.subarray(0, 0)), { size: 1 })).rejects.toMatchObject({
      code: 'size_mismatch',
    })
    await expect(stores.add('some', make(content), { size: 0 })).rejects.toMatchObject({ code: 'size_mismatch' })
    for (const key of ['short', 'long', 'none', 'some']) {
      await expect(stores.getSizeFromBackend(`memory://${key}`)).rejects.toMatchObject({ code: 'not_found' })
    }
  })

  it.each(sources)('takes up to the limit from %s and not a byte more', async (_what, make) => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    await expect(stores.add('x', make(content), { limit: 1000 })).resolves.toMatchObject({ size: 1000 })
    const large = { code: 'too_large', details: { limit: 999 } }
    await expect(stores.add('y', make(content), { limit: 999 })).rejects.toMatchObject(large)
    await expect(stores.getSizeFromBackend('memory://y')).rejects.toMatchObject({ code: 'not_found' })
  })

  it('refuses what cannot fit before it opens the source', async () => {
    const { spec, calls } = tiny({ capabilities: { maxSize: 999, needsSize: true } })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const source = (): never => expect.unreachable()
    await expect(stores.add('x', content)).rejects.toMatchObject({ code: 'too_large', details: { limit: 999 } })
    await expect(stores.add('x', source, { size: 7, limit: 6 })).rejects.toMatchObject({
      code: 'too_large',
      details: { limit: 6 },
    })
    await expect(stores.add('x', source)).rejects.toMatchObject({ code: 'invalid_argument', details: { name: 'size' } })
    await expect(stores.add('x', content, { size: 999 })).rejects.toMatchObject({ code: 'size_mismatch' })
    expect(calls).toEqual([])
  })

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('refuses %d as a number of bytes', async (size) => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    await expect(stores.add('x', content, { size })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { name: 'size' },
    })
    await expect(stores.add('x', content, { limit: size })).rejects.toMatchObject({ details: { name: 'limit' } })
  })

  it.each(['', '.', '..', '.a', 'a/b', 'a\\b', 'a\0', 'a b', 'ä', '../x', 'a'.repeat(256), 'a\n'])(
    'refuses the id %o',
    async (id) => {
      await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
      await expect(stores.add(id, content)).rejects.toMatchObject({
        code: 'invalid_argument',
        details: { name: 'imageId' },
      })
    },
  )

  it('refuses an unknown store, metadata that is no text, and a store that only reads', async () => {
    const { spec } = tiny({ with: { write: undefined } })
    await using stores = await createStores({ stores: { a: memory(), b: spec }, default: 'a' })
    await expect(stores.add('x', content, { store: 'c' as 'a' })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'store: expected one of a, b, got "c"',
    })
    await expect(stores.add('x', content, { metadata: { n: 1 as never } })).rejects.toMatchObject({
      details: { name: 'metadata' },
    })
    await expect(stores.add('x', content, { store: 'b' })).rejects.toMatchObject({
      code: 'unsupported',
      message: 'b: tiny store: is read-only',
    })
  })

  it('lets go of a source that is never read', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const refusals = [{ size: 3, limit: 2 }, { signal: AbortSignal.abort(new Error('x')) }, { hashes: ['md6'] }]
    for (const options of refusals) {
      let cancelled = false
      const source = new ReadableStream<Uint8Array>({ cancel: () => void (cancelled = true) })
      await expect(stores.add('x', source, options)).rejects.toThrow()
      expect(cancelled).toBe(true)
    }
  })

  it('lets go of the source when the store refuses, and when it has enough', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    await stores.add('x', content)
    let released = 0
    const source = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield content
      } finally {
        released += 1
      }
    }
    await expect(stores.add('y', source(), { limit: 5000 })).rejects.toMatchObject({ code: 'too_large' })
    expect(released).toBe(1)
    const readable = new ReadableStream<Uint8Array>({ cancel: () => void (released += 1) })
    await expect(stores.add('x', readable)).rejects.toMatchObject({ code: 'already_exists', details: { key: 'x' } })
    expect(released).toBe(2)
  })

  it('reports progress at the end, with the total when it is known', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const seen: Progress[] = []
    await stores.add('x', content, { onProgress: (progress) => seen.push(progress) })
    await stores.add('y', () => seededStream(1, 500), { onProgress: (progress) => seen.push(progress) })
    expect(seen).toContainEqual({ bytes: 1000, total: 1000 })
    expect(seen.at(-1)).toEqual({ bytes: 500, total: undefined })
  })

  it('fails, and stores nothing, when a progress report throws', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const onProgress = (): never => {
      throw new Error('the screen is gone')
    }
    await expect(stores.add('x', content, { onProgress })).rejects.toThrow('the screen is gone')
    await expect(stores.getSizeFromBackend('memory://x')).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('onLocation', () => {
  it('is awaited before anything is visible', async () => {
    const { spec, objects } = tiny()
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const seen: unknown[] = []
    await stores.add('x', content, {
      async onLocation(location) {
        await new Promise(setImmediate)
        seen.push([String(location), location.store, objects.has('x')])
      },
    })
    expect(seen).toEqual([['tiny://x', 'a', false]])
  })

  it('is told also by a store that does not announce, once', async () => {
    const { spec } = tiny({ with: { write: async (key, body) => ({ at: (await collect(body)) && key }) } })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const seen: string[] = []
    await stores.add('x', content, { onLocation: (location) => void seen.push(String(location)) })
    expect(seen).toEqual(['tiny://x'])
  })

  it('takes back what a store committed before it told the place, when that cannot be recorded', async () => {
    const made = tiny({
      capabilities: { atomicWrite: true },
      with: {
        async write(key, body) {
          made.objects.set(key, await collect(body))
          return { at: key }
        },
      },
    })
    await using stores = await createStores({ stores: { a: made.spec }, default: 'a' })
    const onLocation = async (): Promise<never> => {
      throw new Error('the registry is gone')
    }
    await expect(stores.add('x', content, { onLocation })).rejects.toThrow('the registry is gone')
    expect(made.objects.size).toBe(0)
  })

  it('fails the upload when it cannot record the place, and nothing stays', async () => {
    const { spec, objects } = tiny()
    await using stores = await createStores({ stores: { a: spec, b: memory() }, default: 'a' })
    const onLocation = async (): Promise<never> => {
      throw new Error('the registry is gone')
    }
    await expect(stores.add('x', content, { onLocation })).rejects.toThrow('the registry is gone')
    await expect(stores.add('x', content, { onLocation, store: 'b' })).rejects.toThrow('the registry is gone')
    expect(objects.size).toBe(0)
    await stores.add('x', content, { store: 'b' })
  })
})
