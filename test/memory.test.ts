import { collect, createStores, memory } from 'mullion'
import { seededBytes, stallingSource } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { failureOf } from './tiny-store.ts'

const content = seededBytes(9, 200_000)

describe('memory', () => {
  it('lets nobody change what it holds through the chunks it hands out', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const { location } = await stores.add('x', content)
    for await (const chunk of (await stores.get(location)).body) chunk.fill(0)
    expect(Buffer.compare(await collect((await stores.get(location)).body), content)).toBe(0)
  })

  it('counts what it holds and what is on its way against its capacity', async () => {
    await using stores = await createStores({ stores: { a: memory({ capacity: 100 }) }, default: 'a' })
    const { location } = await stores.add('x', content.subarray(0, 60))
    await expect(stores.add('y', content.subarray(0, 41))).rejects.toMatchObject({ code: 'storage_full' })
    await stores.add('y', content.subarray(0, 40))
    await expect(stores.add('z', content.subarray(0, 1))).rejects.toMatchObject({ code: 'storage_full' })
    await stores.delete(location)
    await stores.add('z', content.subarray(0, 60))
  })

  it('gives back the room of an upload that failed', async () => {
    await using stores = await createStores({ stores: { a: memory({ capacity: 100 }) }, default: 'a' })
    const controller = new AbortController()
    const source = stallingSource(100)
    const adding = failureOf(stores.add('x', source, { signal: controller.signal }))
    await source.stalled
    await expect(stores.add('y', content.subarray(0, 1))).rejects.toMatchObject({ code: 'storage_full' })
    await expect(stores.add('x', content.subarray(0, 1))).rejects.toMatchObject({ code: 'already_exists' })
    controller.abort(new Error('enough'))
    await adding
    await stores.add('x', content.subarray(0, 100))
  })

  it.each([-1, Number.NaN, '5'])('refuses a capacity of %o', async (capacity) => {
    const stores = { a: memory({ capacity: capacity as number }) }
    await expect(createStores({ stores, default: 'a' })).rejects.toMatchObject({
      code: 'invalid_config',
      message: `a: memory store: capacity: expected bytes, got ${capacity}`,
    })
  })
})
