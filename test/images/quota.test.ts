import { memory } from 'mullion'
import { upload } from 'mullion/images'
import { seededBytes } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { failureOf, tiny } from '../tiny-store.ts'
import { scene } from './scene.ts'

const bytes = (size: number): Uint8Array => seededBytes(size, size)
const options = { onFailure: 'kill', quota: 1000 } as const

async function* chunks(size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += 100) yield bytes(Math.min(100, size - at))
}

describe('the storage quota of an owner', () => {
  it('lets in what fits to the byte, and refuses one more before a byte is read', async () => {
    const { spec, objects } = tiny()
    await using set = await scene({ a: spec })
    const first = await set.image({ owner: 'o' })
    await upload(set.ports, first.id, bytes(600), options)
    const over = await set.image({ owner: 'o' })
    let read = false
    const source = async function* (): AsyncGenerator<Uint8Array> {
      read = true
      yield bytes(401)
    }
    expect(await failureOf(upload(set.ports, over.id, source, { ...options, size: 401 }))).toMatchObject({
      code: 'quota_exceeded',
      details: { size: 401, remaining: 400 },
    })
    expect([read, (await set.get(over.id)).status, objects.size]).toEqual([false, 'killed', 1])
    const fits = await set.image({ owner: 'o' })
    expect((await upload(set.ports, fits.id, bytes(400), options)).status).toBe('active')
  })

  it('cuts a stream of unknown length where the room ends, and keeps nothing', async () => {
    const { spec, objects } = tiny()
    await using set = await scene({ a: spec })
    const { id } = await set.image({ owner: 'o' })
    const failure = await failureOf(upload(set.ports, id, chunks(1001), options))
    expect(failure).toMatchObject({ code: 'quota_exceeded', details: { size: 1001, remaining: 1000 } })
    expect(objects.size).toBe(0)
  })

  it('is not what a smaller limit of the size is refused with', async () => {
    await using set = await scene({ a: memory() })
    const { id } = await set.image({ owner: 'o' })
    const failure = await failureOf(upload(set.ports, id, chunks(600), { ...options, limit: 500 }))
    expect(failure).toMatchObject({ code: 'too_large', details: { limit: 500 } })
  })

  it('counts uploads that end at the same time', async () => {
    const { spec, objects } = tiny()
    await using set = await scene({ a: spec })
    const images = await Promise.all(Array.from({ length: 8 }, () => set.image({ owner: 'o' })))
    const results = await Promise.allSettled(images.map(({ id }) => upload(set.ports, id, chunks(300), options)))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    expect(objects.size).toBe(3)
    expect(await set.ports.images.usage('o')).toBe(900)
  })

  it('knows neither other owners, nor images without one', async () => {
    await using set = await scene({ a: memory() })
    const theirs = await set.image({ owner: 'p' })
    await upload(set.ports, theirs.id, bytes(900), options)
    const nobodys = await set.image()
    await upload(set.ports, nobodys.id, bytes(5000), options)
    const mine = await set.image({ owner: 'o' })
    expect((await upload(set.ports, mine.id, bytes(1000), options)).status).toBe('active')
  })

  it.each([
    ['active', 100],
    ['deactivated', 100],
    ['pending_delete', 100],
    ['killed', 0],
    ['deleted', 0],
    ['saving', 100],
  ] as const)('counts an image that is %s, by its locations: %i', async (status, expected) => {
    await using set = await scene({ a: memory() })
    const locations = [
      { uri: 'memory://x', metadata: {}, status: 'active' },
      { uri: 'memory://y', metadata: {}, status: 'pending' },
    ] as const
    const { id } = await set.image({ owner: 'o', size: 100 }, { status, locations })
    expect(await set.ports.images.usage('o')).toBe(expected)
    expect(await set.ports.images.usage('o', { except: id })).toBe(0)
  })
})
