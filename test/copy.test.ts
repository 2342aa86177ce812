import {
  type CopyFromOptions,
  createStores,
  type Location,
  memory,
  MullionError,
  type Store,
  type StoreMap,
} from 'mullion'
import { concurrency, layered, readOnly } from 'mullion/layers'
import { seededBytes } from 'mullion/testkit'
import { collect } from 'mullion'
import { describe, expect, it, onTestFinished } from 'vitest'
import { atOnce, failureOf, tiny, type TinyOptions } from './tiny-store.ts'

async function opened(stores: StoreMap): Promise<Awaited<ReturnType<typeof createStores<StoreMap>>>> {
  const all = await createStores({ stores, default: 'one', retry: atOnce })
  onTestFinished(() => all.close())
  return all
}

const bytes = seededBytes(1, 100_000)

/** A store that answers copies with `copyFrom`. */
function copying(copyFrom: NonNullable<Store<string>['copyFrom']>, options: TinyOptions = {}): ReturnType<typeof tiny> {
  return tiny({ ...options, scheme: 'copying', with: { copyFrom } })
}

describe('copy', () => {
  it('streams between stores of different kinds, under the same key or another', async () => {
    const other = tiny()
    const stores = await opened({ one: memory(), two: other.spec })
    const { location } = await stores.add('image', bytes)
    await expect(stores.copy(location, { to: 'two' })).resolves.toMatchObject({
      way: 'streamed',
      store: 'two',
      size: bytes.byteLength,
      hashes: {},
    })
    await stores.copy(location, { to: 'two', imageId: 'copy' })
    expect([...other.objects.keys()]).toEqual(['image', 'copy'])
    expect(Buffer.compare(other.objects.get('copy') ?? Buffer.of(), bytes)).toBe(0)
  })

  it('asks for a key when the location tells none', async () => {
    const other = tiny()
    const stores = await opened({ one: memory(), two: other.spec })
    const { location } = await stores.add('image', bytes, { store: 'two' })
    await expect(stores.copy(location, { to: 'one' })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { name: 'imageId' },
    })
    await expect(stores.copy(location, { to: 'one', imageId: '../x' })).rejects.toMatchObject({
      code: 'invalid_argument',
    })
    await expect(stores.copy(location, { to: 'three', imageId: 'x' })).rejects.toMatchObject({
      code: 'invalid_argument',
    })
  })

  it('has the target copy by itself from a store of its kind', async () => {
    const stores = await opened({ one: memory(), two: memory() })
    const { location } = await stores.add('image', bytes)
    const heard: Location[] = []
    const copied = await stores.copy(location, { to: 'two', onLocation: (at) => void heard.push(at) })
    expect(copied).toMatchObject({ way: 'native', store: 'two', size: bytes.byteLength, hashes: {} })
    expect(heard).toEqual([copied.location])
    const { body } = await stores.get(copied.location)
    expect(Buffer.compare(await collect(body), bytes)).toBe(0)
  })

  it('streams when digests are wanted, and verifies them before the copy is committed', async () => {
    const stores = await opened({ one: memory(), two: memory() })
    const { location } = await stores.add('image', bytes)
    const expect1 = { md5: '0'.repeat(32) }
    await expect(stores.copy(location, { to: 'two', expect: expect1 })).rejects.toMatchObject({ code: 'hash_mismatch' })
    const { hashes, way } = await stores.copy(location, { to: 'two', hashes: ['sha256'] })
    expect(way).toBe('streamed')
    expect(Object.keys(hashes)).toEqual(['sha256'])
  })

  it('streams when the target declines', async () => {
    const target = copying(async () => undefined)
    const stores = await opened({ one: target.spec, two: memory() })
    const { location } = await stores.add('image', bytes)
    const { way } = await stores.copy(location, { to: 'one', imageId: 'copy' })
    expect(way).toBe('streamed')
  })

  it('streams when a layer took the function away from either side', async () => {
    const opaque = layered(memory(), () => ({ copyFrom: undefined }))
    const stores = await opened({ one: opaque, two: memory() })
    const { location } = await stores.add('image', bytes)
    await expect(stores.copy(location, { to: 'two' })).resolves.toMatchObject({ way: 'streamed' })
    const back = await stores.add('other', bytes, { store: 'two' })
    await expect(stores.copy(back.location, { to: 'one' })).resolves.toMatchObject({ way: 'streamed' })
  })

  it('is refused by a read-only store', async () => {
    const stores = await opened({ one: memory(), two: layered(memory(), readOnly()) })
    const { location } = await stores.add('image', bytes)
    await expect(stores.copy(location, { to: 'two' })).rejects.toMatchObject({ code: 'unsupported' })
  })

  it('rejects not_found, and too_large before anything is copied', async () => {
    const target = copying(async () => undefined, { capabilities: { maxSize: 1000 } })
    const stores = await opened({ one: memory(), two: target.spec })
    const { location } = await stores.add('image', bytes)
    await expect(stores.copy(location, { to: 'two' })).rejects.toMatchObject({
      code: 'too_large',
      details: { limit: 1000 },
    })
    await expect(stores.copy(location, { to: 'one', imageId: 'x', limit: 10 })).rejects.toMatchObject({
      code: 'too_large',
    })
    await stores.delete(location)
    await expect(stores.copy(location, { to: 'two' })).rejects.toMatchObject({ code: 'not_found' })
    expect(target.calls).toEqual([])
  })

  it('tells the target what the origin is, and takes back a copy of another size', async () => {
    const told: CopyFromOptions[] = []
    const target = copying(async (key, _origin, options) => {
      told.push(options)
      await options.announce(key)
      target.objects.set(key, Buffer.of(1))
      return { at: key, size: 1 }
    })
    const stores = await opened({ one: target.spec })
    const { location } = await stores.add('image', bytes)
    await expect(stores.copy(location, { to: 'one', imageId: 'copy' })).rejects.toMatchObject({
      code: 'size_mismatch',
      details: { expected: bytes.byteLength, actual: 1 },
    })
    expect(told).toMatchObject([{ size: bytes.byteLength }])
    expect([...target.objects.keys()]).toEqual(['image'])
  })

  it('removes what a store that is not atomic leaves when a copy fails, and tries again', async () => {
    let failures = 2
    const target = copying(async (key, _origin, { announce }) => {
      await announce(key)
      target.objects.set(key, bytes)
      failures -= 1
      if (failures >= 0) throw new MullionError('unavailable', 'gone', { details: {} })
      return { at: key, size: bytes.byteLength }
    })
    const stores = await opened({ one: target.spec })
    const { location } = await stores.add('image', bytes)
    await expect(stores.copy(location, { to: 'one', imageId: 'copy' })).resolves.toMatchObject({ way: 'native' })
    failures = 9
    const error = await failureOf(stores.copy(location, { to: 'one', imageId: 'failing' }))
    expect(error).toMatchObject({ code: 'unavailable', retryable: false, context: { operation: 'copy', attempt: 3 } })
    expect([...target.objects.keys()]).toEqual(['image', 'copy'])
  })

  it('never touches what was there when the target says already_exists', async () => {
    const target = copying(async (key, _origin, { announce }) => {
      await announce(key)
      throw new MullionError('already_exists', 'taken', { details: { key } })
    })
    const stores = await opened({ one: target.spec })
    const { location } = await stores.add('image', bytes)
    await stores.add('taken', bytes)
    const error = await failureOf(stores.copy(location, { to: 'one', imageId: 'taken' }))
    expect(error).toMatchObject({ code: 'already_exists' })
    expect([...target.objects.keys()]).toEqual(['image', 'taken'])
  })

  it('ends with the reason of an abort, or the error of a callback, and nothing is left', async () => {
    const stop = new AbortController()
    const reason = new Error('enough')
    const target = copying(async (key, _origin, { announce, signal }) => {
      await announce(key)
      target.objects.set(key, bytes)
      signal.throwIfAborted()
      return { at: key, size: bytes.byteLength }
    })
    const stores = await opened({ one: target.spec })
    const { location } = await stores.add('image', bytes)
    const onLocation = (): void => stop.abort(reason)
    const copied = stores.copy(location, { to: 'one', imageId: 'copy', signal: stop.signal, onLocation })
    expect(await failureOf(copied)).toBe(reason)
    const mine = new Error('mine')
    const refusing = stores.copy(location, {
      to: 'one',
      imageId: 'copy',
      onLocation() {
        throw mine
      },
    })
    expect(await failureOf(refusing)).toBe(mine)
    expect([...target.objects.keys()]).toEqual(['image'])
  })

  it('takes the places of origin and target together, so that copies never wait for each other', async () => {
    const one = tiny({ capabilities: { concurrency: 1 } })
    const two = tiny({ scheme: 'other', capabilities: { concurrency: 1 } })
    const stores = await opened({ one: one.spec, two: two.spec })
    const { location: there } = await stores.add('a', bytes)
    const { location: back } = await stores.add('b', bytes, { store: 'two' })
    await Promise.all([
      ...['c', 'd'].map((imageId) => stores.copy(there, { to: 'two', imageId })),
      ...['e', 'f'].map((imageId) => stores.copy(back, { to: 'one', imageId })),
    ])
    expect(one.objects.size + two.objects.size).toBe(6)
  })

  it('ends with timeout when a layer makes the copy wait for itself', async () => {
    const { spec } = tiny()
    const stores: StoreMap = { one: layered(spec, concurrency(1)) }
    const all = await createStores({ stores, default: 'one', retry: atOnce, idleTimeoutMs: 50 })
    onTestFinished(() => all.close())
    const { location } = await all.add('image', bytes)
    await expect(all.copy(location, { to: 'one', imageId: 'copy' })).rejects.toMatchObject({ code: 'timeout' })
  })

  it('heeds an abort while the origin does not say what it is', async () => {
    const silent = tiny({ with: { stat: () => new Promise(() => {}) } })
    const stores = await opened({ one: silent.spec, two: memory() })
    const { location } = await stores.add('image', bytes)
    const stop = new AbortController()
    const copied = stores.copy(location, { to: 'two', imageId: 'copy', signal: stop.signal })
    const reason = new Error('enough')
    stop.abort(reason)
    expect(await failureOf(copied)).toBe(reason)
  })

  it('reports a native copy once, and holds it to the limit', async () => {
    const stores = await opened({ one: memory(), two: memory() })
    const { location } = await stores.add('image', bytes)
    const seen: unknown[] = []
    await stores.copy(location, { to: 'two', onProgress: (progress) => void seen.push(progress) })
    expect(seen).toEqual([{ bytes: bytes.byteLength, total: bytes.byteLength }])
    const sizeless = copying(async (key, _origin, { announce }) => {
      await announce(key)
      sizeless.objects.set(key, bytes)
      return { at: key, size: bytes.byteLength }
    })
    const blind = await opened({ one: layered(sizeless.spec, () => ({ stat: async () => ({ size: undefined }) })) })
    const origin = await blind.add('image', bytes)
    await expect(blind.copy(origin.location, { to: 'one', imageId: 'copy', limit: 10 })).rejects.toMatchObject({
      code: 'too_large',
    })
    expect([...sizeless.objects.keys()]).toEqual(['image'])
  })

  it('does not wait for itself within a store that takes one call at a time', async () => {
    const { spec } = tiny({ capabilities: { concurrency: 1 } })
    const stores = await opened({ one: spec })
    const { location } = await stores.add('image', bytes)
    await expect(stores.copy(location, { to: 'one', imageId: 'copy' })).rejects.toMatchObject({ code: 'unsupported' })
  })
})
