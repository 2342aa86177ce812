import Fastify from 'fastify'
import { createStores, memory } from 'mullion'
import { memoryRegistry, memoryTasks, openPolicy, type Ports, silentNotifier } from 'mullion/images'
import { describe, expect, it, onTestFinished } from 'vitest'
import { buildApp, imagesV1 } from '../../src/index.ts'
import { RAW, SETTINGS } from './server.ts'

async function memoryPorts(): Promise<Ports> {
  const stores = await createStores({ stores: { memory: memory() }, default: 'memory' })
  onTestFinished(() => stores.close())
  return {
    ...memoryRegistry(),
    stores,
    tasks: memoryTasks(),
    worker: 'test',
    policy: openPolicy,
    notifier: silentNotifier,
    now: () => new Date(),
    newId: () => crypto.randomUUID(),
  }
}

describe('imagesV1 in an application of somebody else', () => {
  it('serves under its prefix and leaves the rest as it is', async () => {
    const app = Fastify()
    onTestFinished(() => app.close())
    app.post('/echo', (request, reply) => reply.send(request.body))
    await app.register(imagesV1, { prefix: '/image/v1', ports: await memoryPorts(), settings: SETTINGS })
    const created = await app.inject({ method: 'POST', url: '/image/v1/images', headers: RAW, payload: 'data' })
    expect([created.statusCode, created.json()]).toEqual([
      201,
      { image: expect.objectContaining({ size: 4, status: 'active' }) },
    ])
    const { id } = created.json<{ readonly image: { readonly id: string } }>().image
    expect((await app.inject({ url: `/image/v1/images/${id}` })).payload).toBe('data')
    expect((await app.inject({ url: '/image/v1/nothing' })).headers['content-type']).toBe('text/plain; charset=UTF-8')
    expect((await app.inject({ method: 'PATCH', url: '/image/v1/images' })).headers['allow']).toBe('GET, POST')
    expect((await app.inject({ method: 'POST', url: '/echo', payload: { a: 1 } })).json()).toEqual({ a: 1 })
    expect((await app.inject({ url: '/nothing' })).json()).toMatchObject({ error: 'Not Found' })
  })
})

describe('buildApp', () => {
  it('does not need to listen', async () => {
    const app = buildApp(await memoryPorts(), SETTINGS)
    onTestFinished(() => app.close())
    expect((await app.inject({ method: 'POST', url: '/v1/images', headers: RAW, payload: 'data' })).statusCode).toBe(
      201,
    )
    const refused = await app.inject({
      method: 'POST',
      url: '/v1/images',
      headers: { 'x-image-meta-bogus': '1' },
      payload: 'data',
    })
    expect([refused.statusCode, refused.payload]).toEqual([
      400,
      expect.stringContaining('Bad header: x-image-meta-bogus'),
    ])
    expect((await app.inject({ url: '/versions' })).statusCode).toBe(200)
  })
})
