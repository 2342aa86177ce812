import { collect, memory } from 'mullion'
import { openData } from 'mullion/images'
import { seededBytes } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { failureOf } from '../tiny-store.ts'
import { scene } from './scene.ts'

describe('openData', () => {
  const content = seededBytes(16, 100)

  it('opens the first active location, in the store it was recorded for', async () => {
    await using set = await scene({ a: memory(), b: memory() })
    await set.ports.stores.add('x', content, { store: 'b' })
    const at = (status: 'pending' | 'active', store: string) => ({ uri: 'memory://x', metadata: { store }, status })
    const { id } = await set.image(
      {},
      { status: 'active', locations: [at('pending', 'a'), at('active', 'b'), at('active', 'a')] },
    )
    await using data = await openData(set.ports, await set.get(id), { offset: 1, length: 2 })
    expect([data.size, data.store]).toEqual([100, 'b'])
    expect(await collect(data.body)).toEqual(Buffer.from(content.subarray(1, 3)))
  })

  it('rejects not_found for an image without data, and for data that is lost', async () => {
    await using set = await scene()
    const { id } = await set.image()
    expect(await failureOf(openData(set.ports, await set.get(id)))).toMatchObject({
      code: 'not_found',
      message: `image ${id}: has no data`,
    })
    const lost = { uri: 'memory://x', metadata: {}, status: 'active' } as const
    await set.ports.images.update(id, { locations: [lost] })
    expect(await failureOf(openData(set.ports, await set.get(id)))).toMatchObject({ code: 'not_found' })
  })
})
