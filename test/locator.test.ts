import { createStores, memory } from 'mullion'
import { describe, expect, it } from 'vitest'
import { tiny } from './tiny-store.ts'

const owned = (prefix: string) => tiny({ with: { owns: (key) => key.startsWith(prefix) } }).spec

describe('getStoreFromLocation', () => {
  it('finds the store by scheme, whatever the case of its letters', async () => {
    await using stores = await createStores({ stores: { a: memory(), b: tiny().spec }, default: 'a' })
    expect(stores.getStoreFromLocation('tiny://x')).toBe('b')
    expect(stores.getStoreFromLocation('TINY://x')).toBe('b')
    expect(stores.getStoreFromLocation('memory://x')).toBe('a')
  })

  it('tells stores of one scheme apart by what they own', async () => {
    await using stores = await createStores({ stores: { a: owned('a-'), b: owned('b-') }, default: 'a' })
    expect(stores.getStoreFromLocation('tiny://b-1')).toBe('b')
    expect(stores.getStoreFromLocation('tiny://a-1')).toBe('a')
  })

  it('prefers the recorded store where several could hold the location', async () => {
    await using stores = await createStores({ stores: { a: memory(), b: memory() }, default: 'a' })
    expect(stores.getStoreFromLocation({ uri: 'memory://x', store: 'b' })).toBe('b')
  })

  it('finds the owner when the recorded store has been renamed', async () => {
    await using stores = await createStores({ stores: { a: owned('a-'), new: owned('b-') }, default: 'a' })
    expect(stores.getStoreFromLocation({ uri: 'tiny://b-1', store: 'old' })).toBe('new')
  })

  it('ignores a recorded store of another scheme', async () => {
    await using stores = await createStores({ stores: { a: memory(), b: tiny().spec }, default: 'a' })
    expect(stores.getStoreFromLocation({ uri: 'memory://x', store: 'b' })).toBe('a')
  })

  it('never lets a recorded store reach beyond what it owns', async () => {
    await using stores = await createStores({ stores: { a: owned('a-') }, default: 'a' })
    expect(() => stores.getStoreFromLocation({ uri: 'tiny://b-1', store: 'a' })).toThrow(
      expect.objectContaining({ code: 'invalid_location', details: { reason: 'it lies in no store' } }),
    )
  })

  it('refuses to guess when several could hold it', async () => {
    await using stores = await createStores({ stores: { a: memory(), b: memory() }, default: 'a' })
    expect(() => stores.getStoreFromLocation('memory://x')).toThrow(
      expect.objectContaining({ code: 'invalid_location', details: { reason: 'stores a, b claim it' } }),
    )
  })

  it('prefers a store that looked to one that cannot tell', async () => {
    await using stores = await createStores({ stores: { any: tiny().spec, a: owned('a-') }, default: 'any' })
    expect(stores.getStoreFromLocation('tiny://a-1')).toBe('a')
    expect(stores.getStoreFromLocation('tiny://b-1')).toBe('any')
  })

  it('asks the others of the scheme when one cannot parse the location', async () => {
    const narrow = {
      ...tiny().spec,
      location: {
        parse: () => {
          throw new Error('no')
        },
        format: String,
      },
    }
    await using stores = await createStores({ stores: { narrow, wide: tiny().spec }, default: 'wide' })
    expect(stores.getStoreFromLocation('tiny://x')).toBe('wide')
  })

  it('names the known schemes when it knows no store', async () => {
    await using stores = await createStores({ stores: { a: memory(), b: tiny().spec }, default: 'a' })
    expect(() => stores.getStoreFromLocation('rbd://x')).toThrow(
      'location rbd://x: no store serves scheme "rbd"; known: memory, tiny',
    )
  })

  it.each(['memory://', 'memory://../x', 'memory://a/b', 'memory://.x', 'tiny://!', 'memory://a\n'])(
    'refuses %o before any backend is asked',
    async (text) => {
      const { spec, calls } = tiny()
      await using stores = await createStores({ stores: { a: memory(), b: spec }, default: 'a' })
      await expect(stores.get(text)).rejects.toMatchObject({ code: 'invalid_location' })
      await expect(stores.delete(text)).rejects.toMatchObject({ code: 'invalid_location' })
      expect(calls).toEqual([])
    },
  )
})
