import { randomBytes } from 'node:crypto'
import { MullionError } from 'mullion'
import { describe, expect, it, onTestFinished } from 'vitest'
import { forgetDeleted, prefetch } from '../../src/cache/index.ts'
import { PIECE, type Rig, rig, until } from './rig.ts'

const BYTES = randomBytes(3 * PIECE)

/** Works on the queue until the end of the test. */
function work({ server, cache, said }: Rig): { stop(): Promise<void> } {
  const ending = new AbortController()
  const log = (message: string): void => void said.push(message)
  const over = prefetch(server.ports, cache, { signal: ending.signal, pauseMs: 1, log })
  const stop = async (): Promise<void> => {
    ending.abort()
    await over
  }
  onTestFinished(stop)
  return { stop }
}

describe('queued images', { timeout: 30_000 }, () => {
  it('are fetched one after the other, those that are queued later too', async () => {
    const rigged = await rig()
    const { cache, server, origin } = rigged
    const [a, b] = [await rigged.image(BYTES), await rigged.image(BYTES)]
    cache.enqueue(a)
    work(rigged)
    await until(() => cache.cached().length === 1)
    await server.call('PUT', `/v1/queued_images/${b}`)
    await until(() => cache.cached().length === 2 && cache.queued().length === 0)
    expect(cache.cached().map(({ imageId, hits }) => [imageId, hits])).toEqual([
      [a, 0],
      [b, 0],
    ])
    origin.objects.clear()
    expect((await server.call('GET', `/v1/images/${a}`)).body.equals(BYTES)).toBe(true)
    expect(origin.reads).toBe(2)
  })

  it('share the read of a client that asks meanwhile', async () => {
    const rigged = await rig()
    const { cache, server, origin } = rigged
    const id = await rigged.image(BYTES)
    const { promise, resolve } = Promise.withResolvers<void>()
    origin.before = (_, offset) => (offset === PIECE ? promise : undefined)
    cache.enqueue(id)
    work(rigged)
    await until(() => origin.given > 0)
    const reading = server.call('GET', `/v1/images/${id}`)
    resolve()
    expect((await reading).body.equals(BYTES)).toBe(true)
    await until(() => cache.queued().length === 0)
    expect([origin.reads, cache.cached().length]).toEqual([1, 1])
  })

  it.each([
    ['there is none', () => Promise.resolve(crypto.randomUUID())],
    ['it is deleted', (rigged: Rig) => rigged.image(BYTES, { status: 'deleted', deletedAt: new Date() })],
    ['it has no data yet', (rigged: Rig) => rigged.image(BYTES, { status: 'queued' })],
    ['it is deactivated', (rigged: Rig) => rigged.image(BYTES, { status: 'deactivated' })],
    ['its bytes are wrong', (rigged: Rig) => rigged.image(BYTES, { checksum: '0'.repeat(32) })],
    ['the store has lost it', (rigged: Rig) => rigged.image(BYTES).then((id) => (rigged.origin.objects.clear(), id))],
    ['nothing tells what it should be', (rigged: Rig) => rigged.image(BYTES, { size: undefined })],
  ])('are dropped when they cannot be cached: %s', async (_, make) => {
    const rigged = await rig()
    const id = await make(rigged)
    rigged.cache.enqueue(id)
    work(rigged)
    await until(() => rigged.cache.queued().length === 0)
    expect([rigged.cache.cached(), rigged.files(), rigged.said.length]).toEqual([[], [], 1])
  })

  it('let others go first and are tried again when the store cannot be reached, thrice', async () => {
    const rigged = await rig()
    const { cache, origin } = rigged
    const [a, b] = [await rigged.image(BYTES), await rigged.image(BYTES)]
    origin.before = (key) => {
      if (key === a) throw new MullionError('unavailable', 'origin: down', { details: {} })
    }
    cache.enqueue(a)
    cache.enqueue(b)
    work(rigged)
    await until(() => cache.queued().length === 0)
    expect(cache.cached().map(({ imageId }) => imageId)).toEqual([b])
    expect(origin.reads).toBe(4)
  })

  it('stay queued when the server stops', async () => {
    const rigged = await rig()
    const { cache, origin } = rigged
    const id = await rigged.image(BYTES)
    origin.before = (_, offset) => (offset === PIECE ? new Promise(() => {}) : undefined)
    cache.enqueue(id)
    const { stop } = work(rigged)
    await until(() => origin.given > 0)
    await stop()
    expect(cache.queued()).toEqual([id])
    await cache.close()
    expect(rigged.files()).toEqual([])
  })
})

describe('cleaning', { timeout: 30_000 }, () => {
  it('forgets the images that were deleted where nobody told the cache', async () => {
    const rigged = await rig()
    const { cache, server, registry } = rigged
    const [a, b] = [await rigged.image(BYTES), await rigged.image(BYTES)]
    for (const id of [a, b]) await server.call('GET', `/v1/images/${id}`)
    await until(() => cache.cached().length === 2)
    await registry.images.update(a, { status: 'deleted', deletedAt: new Date() })
    await forgetDeleted(server.ports, cache, new AbortController().signal)
    expect(cache.cached().map(({ imageId }) => imageId)).toEqual([b])
    expect(rigged.files()).toHaveLength(1)
  })
})
