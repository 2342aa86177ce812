import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { PIECE, rig, until } from './rig.ts'

const BYTES = randomBytes(4 * PIECE)

describe('deletion against reading', { timeout: 30_000 }, () => {
  it('keeps nothing of an image that is deleted while it gets into the cache; its reader reads on', async () => {
    const { server, origin, cache, files, image } = await rig()
    const id = await image(BYTES)
    const { promise, resolve } = Promise.withResolvers<void>()
    origin.before = (_, offset) => (offset === PIECE ? promise : undefined)
    const reading = server.call('GET', `/v1/images/${id}`)
    await until(() => origin.given > 0)
    expect((await server.call('DELETE', `/v1/images/${id}`)).status).toBe(200)
    expect((await server.call('GET', `/v1/images/${id}`)).status).toBe(404)
    resolve()
    expect((await reading).body.equals(BYTES)).toBe(true)
    await until(() => files().length === 0)
    expect(cache.cached()).toEqual([])
  })

  it('keeps nothing of an image that is to be forgotten while it gets into the cache; the next fill is a new one', async () => {
    const { server, origin, cache, files, image } = await rig()
    const id = await image(BYTES)
    const { promise, resolve } = Promise.withResolvers<void>()
    origin.before = (_, offset) => (offset === PIECE && origin.reads === 1 ? promise : undefined)
    const reading = server.call('GET', `/v1/images/${id}`)
    await until(() => origin.given > 0)
    expect((await server.call('DELETE', `/v1/cached_images/${id}`)).status).toBe(200)
    expect((await server.call('GET', `/v1/images/${id}`)).body.equals(BYTES)).toBe(true)
    await until(() => cache.cached().length === 1)
    await cache.clear()
    resolve()
    expect((await reading).body.equals(BYTES)).toBe(true)
    await until(() => files().length === 0)
    expect([origin.reads, cache.cached()]).toEqual([2, []])
  })

  it('keeps nothing of an image that was deleted by another server meanwhile', async () => {
    const { server, origin, registry, cache, files, image } = await rig()
    const id = await image(BYTES)
    origin.before = async (_, offset) => {
      if (offset === PIECE) await registry.images.update(id, { status: 'deleted', deletedAt: new Date() })
    }
    expect((await server.call('GET', `/v1/images/${id}`)).body.equals(BYTES)).toBe(true)
    await until(() => files().length === 0)
    expect(cache.cached()).toEqual([])
  })

  it('never serves what was deleted, whichever comes first', async () => {
    const { server, cache, files, image } = await rig()
    for (let turn = 0; turn < 20; turn += 1) {
      const id = await image(BYTES)
      if (turn % 2 === 0) await server.call('GET', `/v1/images/${id}`)
      const path = `/v1/images/${id}`
      const during = Array.from({ length: 4 }, () => server.call('GET', path))
      const deleted = await server.call('DELETE', path)
      expect(deleted.status).toBe(200)
      const after = await Promise.all(Array.from({ length: 4 }, () => server.call('GET', path)))
      expect(after.map(({ status }) => status)).toEqual([404, 404, 404, 404])
      for (const { status, body } of await Promise.all(during)) {
        expect([200, 404, 0]).toContain(status) // 0: broken off before the first byte
        if (status === 200) expect(body.equals(BYTES) || body.length < BYTES.length).toBe(true)
      }
      await until(() => files().length === 0)
    }
    expect(cache.cached()).toEqual([])
  })
})

describe('closing', { timeout: 30_000 }, () => {
  it('ends what is under way, and leaves no half file and no handle', async () => {
    const { server, origin, cache, files, image } = await rig()
    const id = await image(BYTES)
    origin.before = (_, offset) => (offset === PIECE ? new Promise(() => {}) : undefined)
    const reading = server.call('GET', `/v1/images/${id}`)
    await until(() => origin.given > 0)
    await cache.close()
    expect((await reading).body.length).toBeLessThan(BYTES.length)
    expect(files()).toEqual([])
  })
})
