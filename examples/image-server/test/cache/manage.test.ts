import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { MullionError } from 'mullion'
import type { Policy } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { type Answer, identity } from '../v1/server.ts'
import { rig, temporaryDirectory, until } from './rig.ts'

const BYTES = randomBytes(1000)
const json = ({ status, body }: Answer): unknown[] => [status, JSON.parse(body.toString())]

describe('the API of the cache (glance/api/middleware/cache_manage.py)', { timeout: 30_000 }, () => {
  it('lists what is cached', async () => {
    const { server, cache, image } = await rig({ cache: { now: () => 1_500 } })
    expect(json(await server.call('GET', '/v1/cached_images'))).toEqual([200, { cached_images: [] }])
    const id = await image(BYTES)
    await server.call('GET', `/v1/images/${id}`)
    await until(() => cache.cached().length === 1)
    await server.call('GET', `/v1/images/${id}`)
    const answer = await server.call('GET', '/v1/cached_images')
    expect(json(answer)).toEqual([
      200,
      { cached_images: [{ image_id: id, hits: 1, last_accessed: 1.5, last_modified: 1.5, size: 1000 }] },
    ])
    expect(answer.headers['content-type']).toBe('application/json')
    expect(answer.headers['x-openstack-request-id']).toBeDefined()
  })

  it('forgets one image, in whichever letters its id is written, or all', async () => {
    const { server, cache, image, files } = await rig()
    const made = [await image(BYTES), await image(BYTES), await image(BYTES)]
    for (const id of made) await server.call('GET', `/v1/images/${id}`)
    await until(() => cache.cached().length === 3)
    const first = `/v1/cached_images/${made[0]?.toUpperCase()}`
    expect(json(await server.call('DELETE', first))).toEqual([200, null])
    expect(files()).toHaveLength(2)
    expect(json(await server.call('DELETE', first))).toEqual([200, null])
    expect(json(await server.call('DELETE', '/v1/cached_images'))).toEqual([200, { num_deleted: 2 }])
    expect(files()).toEqual([])
  })

  it('queues images without asking whether they exist, each once, and none that is cached', async () => {
    const { server, cache, image } = await rig()
    const id = await image(BYTES)
    await server.call('GET', `/v1/images/${id}`)
    await until(() => cache.cached().length === 1)
    const [a, b] = [crypto.randomUUID(), crypto.randomUUID()]
    for (const queued of [a, b, a, a.toUpperCase(), id]) {
      expect(json(await server.call('PUT', `/v1/queued_images/${queued}`))).toEqual([200, null])
    }
    const list = () => server.call('GET', '/v1/queued_images').then(json)
    expect(await list()).toEqual([200, { queued_images: [a, b] }])
    expect(json(await server.call('DELETE', `/v1/queued_images/${a.toUpperCase()}`))).toEqual([200, null])
    expect(await list()).toEqual([200, { queued_images: [b] }])
    expect(json(await server.call('DELETE', '/v1/queued_images'))).toEqual([200, { num_deleted: 1 }])
    expect(await list()).toEqual([200, { queued_images: [] }])
  })

  it('queues only so many', async () => {
    const { server } = await rig({ cache: { maxQueued: 2 } })
    const status = async () => (await server.call('PUT', `/v1/queued_images/${crypto.randomUUID()}`)).status
    expect([await status(), await status(), await status()]).toEqual([200, 200, 413])
  })

  it.each([
    ['GET', '/v1/cached_images/ID'],
    ['PUT', '/v1/cached_images/ID'],
    ['POST', '/v1/cached_images'],
    ['HEAD', '/v1/cached_images'],
    ['GET', '/v1/queued_images/ID'],
    ['PUT', '/v1/queued_images'],
    ['PATCH', '/v1/queued_images'],
    ['GET', '/v1/cached_images/'],
  ])('has no %s %s', async (method, path) => {
    const { server } = await rig()
    expect((await server.call(method, path.replace('ID', crypto.randomUUID()))).status).toBe(404)
  })

  it('takes a body that it has no use for', async () => {
    const { server, cache } = await rig()
    const id = crypto.randomUUID()
    const headers = { 'content-type': 'application/json' }
    expect((await server.call('PUT', `/v1/queued_images/${id}`, headers, '{"no": ')).status).toBe(200)
    expect(cache.queued()).toEqual([id])
  })

  it('is not there unless it was asked for', async () => {
    const { server } = await rig({ settings: { cacheManagement: false } })
    expect((await server.call('GET', '/v1/cached_images')).status).toBe(404)
    expect((await server.call('PUT', `/v1/queued_images/${crypto.randomUUID()}`)).status).toBe(404)
  })
})

describe('who may manage the cache', { timeout: 30_000 }, () => {
  const policy: Policy = {
    async enforce(action, { admin }) {
      if (action === 'manage_image_cache' && !admin) throw new MullionError('permission_denied', 'no', { details: {} })
    },
  }
  const requests = [
    ['GET', '/v1/cached_images'],
    ['DELETE', '/v1/cached_images'],
    ['DELETE', `/v1/cached_images/${crypto.randomUUID()}`],
    ['GET', '/v1/queued_images'],
    ['DELETE', '/v1/queued_images'],
    ['PUT', `/v1/queued_images/${crypto.randomUUID()}`],
    ['DELETE', `/v1/queued_images/${crypto.randomUUID()}`],
  ] as const

  it.each(requests)('is decided by the policy: %s %s', async (method, path) => {
    const { server, cache } = await rig({ settings: { auth: 'trusted' }, ports: { policy } })
    expect((await server.call(method, path)).status).toBe(401)
    expect((await server.call(method, path, identity('p', 'member'))).status).toBe(403)
    expect(cache.queued()).toEqual([])
    expect((await server.call(method, path, identity('p', 'admin'))).status).toBe(200)
  })

  it.each(requests)('is never a stranger who may only read: %s %s', async (method, path) => {
    const { server, cache } = await rig({ settings: { auth: 'trusted', allowAnonymousAccess: true } })
    expect((await server.call(method, path)).status).toBe(method === 'GET' ? 200 : 403)
    expect(cache.queued()).toEqual([])
  })
})

describe('an id that is none', { timeout: 30_000 }, () => {
  const bad = [
    'x',
    '%2e%2e',
    '..%2fcanary',
    '..%5ccanary',
    '%00',
    'a%00b',
    'C:%5cx',
    'x'.repeat(5000),
    '%ef%bc%8e',
    '*',
    '%',
  ]
  it.each(bad)('reaches nothing: %j', async (id) => {
    const outside = temporaryDirectory()
    const dir = join(outside, 'cache')
    mkdirSync(dir)
    for (const name of ['canary', 'canary.image', 'x.image']) writeFileSync(join(outside, name), 'here')
    const { server, cache } = await rig({ cache: { dir } })
    for (const [method, path] of [
      ['PUT', 'queued_images'],
      ['DELETE', 'queued_images'],
      ['DELETE', 'cached_images'],
    ] as const) {
      expect([400, 404, 414]).toContain((await server.call(method, `/v1/${path}/${id}`)).status)
    }
    expect((await server.call('PUT', '/v1/queued_images/../canary')).status).toBe(404)
    expect(cache.queued()).toEqual([])
    for (const name of ['canary', 'canary.image', 'x.image']) expect(existsSync(join(outside, name))).toBe(true)
  })
})
