import { createHash, randomUUID } from 'node:crypto'
import { swift } from '@mullion/swift'
import { createStores } from 'mullion'
import type { ImagePatch } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { rig, until } from '../cache/rig.ts'
import { registered } from '../registry/client.ts'
import { identity, RAW, startServer, type TestServer, uploaded } from '../v1/server.ts'
import { COPY, LOCATION, shape, startOrigin } from './scene.ts'

const owner = identity('t1', 'member')
const member = identity('t2', 'member')
const stranger = identity('t3', 'member')
const settings = { auth: 'trusted' } as const

const HIDDEN: readonly [what: string, patch: ImagePatch][] = [
  ['private', {}],
  ['deleted', { status: 'deleted', deletedAt: new Date() }],
  ['pending_delete', { status: 'pending_delete', deletedAt: new Date() }],
  ['killed', { status: 'killed' }],
  ['deactivated', { status: 'deactivated' }],
  ['protected', { protected: true }],
]

const REQUESTS: readonly [method: string, path: string, headers?: object, body?: string][] = [
  ['GET', '/v1/images/ID'],
  ['HEAD', '/v1/images/ID'],
  ['DELETE', '/v1/images/ID'],
  ['PUT', '/v1/images/ID', { 'x-image-meta-name': 'x' }],
  ['PUT', '/v1/images/ID', { 'x-image-meta-status': 'queued', 'x-image-meta-id': randomUUID() }],
  ['PUT', '/v1/images/ID', RAW, 'data'],
  ['PUT', '/v1/images/ID', { [LOCATION]: 'http://127.0.0.1:1/x' }],
  ['PUT', '/v1/images/ID', { [COPY]: 'http://127.0.0.1:1/x' }],
  ['GET', '/v1/images/ID/members'],
  ['PUT', '/v1/images/ID/members', {}, '{"memberships":[]}'],
  ['PUT', '/v1/images/ID/members/t3'],
  ['DELETE', '/v1/images/ID/members/t3'],
  ['GET', '/v1/images/ID/members/t3'],
  ['GET', '/v1/images?marker=ID'],
  ['GET', '/v1/images/detail?marker=ID'],
]

describe('§4.8: an image that one may not know of', () => {
  it.each(HIDDEN)('answers every request as one that does not exist: %s', async (_what, patch) => {
    const server = await startServer({ settings })
    const id = await uploaded(server, 'data', owner)
    const before = await server.ports.images.update(id, patch)
    for (const accept of ['text/plain', 'application/json', 'text/html']) {
      for (const [method, path, headers, body] of REQUESTS) {
        const ask = async (shown: string): Promise<object> => {
          const all = { ...stranger, accept, ...headers }
          return shape(await server.call(method, path.replace('ID', shown), all, body), shown)
        }
        expect(await ask(id), `${method} ${path}`).toEqual(await ask(randomUUID()))
      }
    }
    expect(await server.image(id)).toEqual(before)
  })

  it('is not found by any filter of a list either', async () => {
    const server = await startServer({ settings })
    const id = await uploaded(server, 'data', {
      ...owner,
      'x-image-meta-name': 'secret',
      'x-image-meta-property-kind': 'secret',
    })
    const checksum = createHash('md5').update('data').digest('hex')
    const filters = [
      'name=secret',
      'name=in:secret',
      'status=active',
      'size_min=4&size_max=4',
      'property-kind=secret',
      'owner=t1',
      'owner=',
      `checksum=${checksum}`,
      `id=${id}`,
      `id=in:${id}`,
      'is_public=none',
      'is_public=false',
      'is_public=False&owner=t1',
      'deleted=true',
      'visibility=private',
      'changes-since=2000-01-01',
      'protected=false',
    ]
    for (const path of ['/v1/images', '/v1/images/detail']) {
      for (const filter of filters) {
        expect((await server.call('GET', `${path}?${filter}`, stranger)).text, filter).toBe('{"images":[]}')
      }
      expect((await server.call('GET', `${path}?name=secret`, owner)).json.images).toHaveLength(1)
    }
  })

  it('answers as one that does not exist in the registry, too', async () => {
    const registry = await registered({ auth: 'trusted' })
    const [mine, theirs] = [registry.as('t1'), registry.as('t3')]
    const { id } = (await mine('POST', '/images', { image: { status: 'active', name: 'secret' } })).json.image
    const requests: [string, string, unknown?][] = [
      ['GET', '/images/ID'],
      ['PUT', '/images/ID', { image: { name: 'x' } }],
      ['DELETE', '/images/ID'],
      ['GET', '/images/ID/members'],
      ['PUT', '/images/ID/members', { memberships: [] }],
      ['PUT', '/images/ID/members/t3', {}],
      ['DELETE', '/images/ID/members/t3'],
      ['GET', '/images?marker=ID'],
    ]
    for (const [method, path, body] of requests) {
      const ask = async (shown: string): Promise<unknown[]> => {
        const { status, text } = await theirs(method, path.replace('ID', shown), body, { accept: 'application/json' })
        return [status, text.replaceAll(shown, '…')]
      }
      expect(await ask(id), `${method} ${path}`).toEqual(await ask(randomUUID()))
    }
    expect((await mine('GET', `/images/${id}`)).json.image).toMatchObject({ name: 'secret', deleted: false })
  })
})

describe('§4.10: who an image is shared with', () => {
  const members = async (server: TestServer, id: string): Promise<unknown> =>
    (JSON.parse((await server.call('GET', `/v1/images/${id}/members`, owner)).text) as { members: unknown }).members
  const share = (server: TestServer, id: string, name: string, body?: string, who = owner): Promise<number> =>
    server.call('PUT', `/v1/images/${id}/members/${name}`, who, body).then(({ status }) => status)

  it('changes neither the image nor its members, and knows of no other member', async () => {
    const server = await startServer({ settings })
    const id = await uploaded(server, 'data', owner)
    for (const name of ['t2', 't4']) expect(await share(server, id, name)).toBe(204)
    const before = await server.image(id)
    expect(await share(server, id, 't3', undefined, member)).toBe(404)
    expect(await share(server, id, 't2', '{"member":{"can_share":true}}', member)).toBe(404)
    for (const [method, path, body] of [
      ['PUT', '/members', '{"memberships":[{"member_id":"t3"}]}'],
      ['DELETE', '/members/t4'],
      ['DELETE', ''],
      ['PUT', ''],
    ] as const) {
      expect((await server.call(method, `/v1/images/${id}${path}`, member, body)).status, method + path).toBe(404)
    }
    expect((await server.call('GET', `/v1/images/${id}/members`, member)).text).not.toContain('t4')
    expect((await server.call('GET', '/v1/shared-images/t4', member)).text).toBe('{"shared_images":[]}')
    expect(await server.image(id)).toEqual(before)
    expect(await members(server, id)).toHaveLength(2)
  })

  it('loses it at once when the membership ends, data in the cache included', async () => {
    const { server, cache, image } = await rig({ settings })
    const id = await image(Buffer.from('data'), { owner: 't1' })
    await share(server, id, 't2')
    expect((await server.call('GET', `/v1/images/${id}`, member)).text).toBe('data')
    await until(() => cache.cached().length === 1)
    await server.call('DELETE', `/v1/images/${id}/members/t2`, owner)
    for (const path of [`/v1/images/${id}`, `/v1/images/${id.toUpperCase()}`]) {
      expect((await server.call('GET', path, member)).status).toBe(404)
    }
    expect((await server.call('GET', '/v1/shared-images/t2', member)).text).not.toContain(id)
  })

  it.each([false, true])('loses it with the image (delayed: %j)', async (delayedDelete) => {
    const server = await startServer({ settings: { ...settings, delayedDelete } })
    const id = await uploaded(server, 'data', owner)
    await share(server, id, 't2')
    await server.call('DELETE', `/v1/images/${id}`, owner)
    for (const [method, path] of [
      ['GET', ''],
      ['HEAD', ''],
      ['GET', '/members'],
    ] as const) {
      expect((await server.call(method, `/v1/images/${id}${path}`, member)).status).toBe(404)
    }
  })

  it.each(['a%2fb', 'a%20b', '%2e%2e', 'x'.repeat(255), '%c3%a9', '__proto__', 'constructor'])(
    'may have the name %s, and nobody else gets anything by it',
    async (name) => {
      const server = await startServer({ settings })
      const id = await uploaded(server, 'data', owner)
      expect(await share(server, id, name)).toBe(204)
      expect(await members(server, id)).toEqual([{ member_id: decodeURIComponent(name), can_share: false }])
      expect((await server.call('GET', `/v1/images/${id}`, stranger)).status).toBe(404)
      expect((await server.call('DELETE', `/v1/images/${id}/members/${name}`, owner)).status).toBe(204)
    },
  )

  it('does not include a name of 300 characters', async () => {
    const server = await startServer({ settings })
    const id = await uploaded(server, 'data', owner)
    expect([await share(server, id, 'x'.repeat(300)), await members(server, id)]).toEqual([400, []])
  })
})

describe('S-37 (OSSN-0025, LP 1354512): an image that is public', () => {
  it('is not for those without a token, where its store checks who comes', async () => {
    const lists: unknown[] = []
    const service = await startOrigin(({ method, headers }, response) => {
      if (method === 'POST') lists.push(headers['x-container-read'])
      const account = { 'x-storage-url': `http://${headers.host}/v1/AUTH_a`, 'x-auth-token': 't' }
      response.writeHead(method === 'POST' ? 204 : 200, account).end()
    })
    const auth = { type: 'v1', url: `${service.url}/auth/v1.0`, user: 'a:b', key: 'c' } as const
    const remote = swift({ auth, multiTenant: true, staleUploadMs: false })
    await using stores = await createStores({ stores: { remote }, default: 'remote' })
    const location = `swift+${service.url}/v1/AUTH_a/glance_x/x`
    await stores.setAcls(location, { public: true, readers: [], writers: [] }).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'unsupported' })
    })
    expect(service.requests.length).toBeGreaterThan(0)
    expect(lists.filter((list) => String(list).includes('.r:'))).toEqual([])
  })
})
