import { randomUUID } from 'node:crypto'
import { memoryRegistry, memoryTasks } from 'mullion/images'
import { describe, expect, it, onTestFinished } from 'vitest'
import { registered } from '../registry/client.ts'
import { startRegistry } from '../registry/registry.ts'

const trusted = { auth: 'trusted' } as const
const SECRET = 'hunter2hunter2'

describe('the records of a registry', () => {
  it('S-34 (OSSN-0075): never give an id again, in whatever letters', async () => {
    const registry = await registered(trusted)
    const [mine, theirs, admin] = [registry.as('t1'), registry.as('t2'), registry.as('ops', 'admin')]
    const id = randomUUID()
    const make = (as: typeof mine, named: string): Promise<number> =>
      as('POST', '/images', { image: { id: named, status: 'active' } }).then(({ status }) => status)
    expect(await make(mine, id)).toBe(200)
    await mine('DELETE', `/images/${id}`)
    for (const who of [mine, theirs, admin])
      for (const twin of [id, id.toUpperCase(), id.replaceAll('-', '')]) expect(await make(who, twin)).toBe(409)
  })

  it('S-46: keep their id', async () => {
    const { call } = await registered()
    const { id } = (await call('POST', '/images', { image: { status: 'queued' } })).json.image
    expect((await call('PUT', `/images/${id}`, { image: { id: randomUUID(), name: 'x' } })).status).toBe(404)
    expect((await call('GET', `/images/${id}`)).json.image).toMatchObject({ id, name: null })
  })

  it('S-01 (CVE-2012-4573): are changed and deleted by their owner only', async () => {
    const registry = await registered(trusted)
    const [mine, theirs] = [registry.as('t1'), registry.as('t2')]
    const { id } = (await mine('POST', '/images', { image: { status: 'active', is_public: true } })).json.image
    expect((await theirs('DELETE', `/images/${id}`)).status).toBe(403)
    expect((await theirs('PUT', `/images/${id}`, { image: { status: 'deleted', location: 'x' } })).status).toBe(403)
    expect((await theirs('PUT', `/images/${id}/members`, { memberships: [] })).status).toBeGreaterThanOrEqual(400)
    expect((await mine('GET', `/images/${id}`)).json.image).toMatchObject({ status: 'active', deleted: false })
  })

  it('S-40: hold metadata of locations as text, which nothing executes and no object inherits from', async () => {
    const { call } = await registered()
    const url = 'https://host/x'
    const odd = '{"__proto__":{"admin":true},"constructor":"x","py/object":"os.system","a":{"b":["c"]}}'
    const body = `{"image":{"status":"active","location_data":[{"url":"${url}","metadata":${odd}}]}}`
    const made = await call('POST', '/images', body)
    expect(made.status, made.text).toBe(200)
    const [location] = (await call('GET', `/images/${made.json.image.id}`)).json.image.location_data
    expect(Object.entries(location?.metadata ?? {})).toEqual([
      ['__proto__', '{"admin":true}'],
      ['constructor', 'x'],
      ['py/object', 'os.system'],
      ['a', '{"b":["c"]}'],
    ])
    expect('admin' in {}).toBe(false)
  })

  it('§4.9: take __proto__ and the like for names like any other', async () => {
    const { call } = await registered()
    const body =
      '{"image":{"status":"queued","__proto__":{"name":"x"},"properties":{"__proto__":"a","constructor":"b"}}}'
    const { json, text } = await call('POST', '/images', body)
    expect(text).toContain('"__proto__":"a"')
    expect(json.image).toMatchObject({ name: null, properties: { constructor: 'b' } })
  })

  it('S-33 (OSSN-0065), S-77: show what only servers may know to servers only', async () => {
    const registry = await registered(trusted)
    const [user, admin] = [registry.as('t1', 'member'), registry.as('ops', 'admin')]
    const uri = `https://user:${SECRET}@host/x`
    const task = { kind: 'copy', id: 't', image_id: 'i', uri, store: null }
    expect((await user('POST', '/tasks', { task })).status).toBe(403)
    expect((await admin('POST', '/tasks', { task })).status).toBe(204)
    const worker = { worker: 'w', kind: 'copy' }
    for (const [method, path, body] of [
      ['GET', '/tasks'],
      ['POST', '/tasks/claim', worker],
      ['POST', '/tasks/release', { worker: 'w' }],
      ['GET', '/usage?owner=t1'],
    ] as const) {
      const answer = await user(method, path, body)
      expect([answer.status, answer.text.includes(SECRET)], path).toEqual([403, false])
    }
    expect((await user('GET', '/images', undefined, { 'x-mullion-registry': '1' })).status).toBe(403)
    // the list is for whoever looks what is going on
    expect((await admin('GET', '/tasks')).text).not.toContain(SECRET)
  })
})

describe('requests to a registry', () => {
  it('S-39 (LP 1192132): that fail for a reason nobody foresaw tell nothing of it', async () => {
    const boom = async (): Promise<never> => {
      throw new TypeError(`boom in /srv/secret/place.ts: ${SECRET}`)
    }
    const { images, members } = memoryRegistry()
    const broken = { ...images, get: boom, list: boom, insert: boom, update: boom }
    const registry = await startRegistry({ images: broken, members, tasks: memoryTasks() })
    onTestFinished(() => registry.close())
    for (const accept of ['application/json', 'text/html', 'text/plain']) {
      for (const [method, path, body] of [
        ['GET', '/images'],
        ['GET', '/images/x'],
        ['POST', '/images', '{"image":{"status":"queued"}}'],
        ['PUT', '/images/x', '{"image":{}}'],
        ['DELETE', '/images/x'],
        ['GET', '/healthcheck'],
      ] as const) {
        const answer = await fetch(registry.url + path, { method, headers: { accept }, ...(body && { body }) })
        expect(answer.status).toBe(500)
        expect(await answer.text()).not.toMatch(/boom|srv|hunter2|TypeError|\.ts\b|\n\s+at /)
      }
    }
  })

  it('S-75: are bounded in size', async () => {
    const { call } = await registered()
    const large = `{"image":{"status":"queued","name":"${'x'.repeat(16 * 1024 * 1024)}"}}`
    expect((await call('POST', '/images', large)).status).toBe(413)
  })

  const deep = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`
  const nested: [where: string, body: string][] = [
    ['a body', deep(100_000)],
    ['a name', `{"image":{"status":"queued","name":${deep(100_000)}}}`],
    ['properties', `{"image":{"status":"queued","properties":{"x":${deep(100_000)}}}}`],
  ]
  const overflowing: [where: string, body: string][] = [
    ['a status', `{"image":{"status":${deep(100_000)}}}`],
    ['metadata', `{"image":{"status":"queued","location_data":[{"url":"x","metadata":{"x":${deep(100_000)}}}]}}`],
    ['a status of a location', `{"image":{"status":"queued","location_data":[{"url":"x","status":${deep(100_000)}}]}}`],
  ]
  const refused = async (_where: string, body: string): Promise<void> => {
    const { call } = await registered()
    expect((await call('POST', '/images', body)).status).toBe(400)
    expect((await call('GET', '/images')).json.images).toEqual([])
  }
  it.each(nested)('§4.5: are refused when they are nested without end: %s', refused)
  it.each(overflowing)('§4.5: are refused when they are nested without end: %s', refused)
})
