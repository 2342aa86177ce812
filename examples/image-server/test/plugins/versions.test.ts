import { describe, expect, it } from 'vitest'
import { negotiateVersion } from '../../src/plugins/versions.ts'
import { startServer } from '../v1/server.ts'

const to = (url: string, accept?: string): string =>
  negotiateVersion({ url, headers: accept === undefined ? {} : { accept } })

describe('version negotiation (Images v1 §1.1)', () => {
  it.each([
    ['/v1/images', '/v1/images'],
    ['/v1.0/images?limit=1', '/v1/images?limit=1'],
    ['/v1.1/images/x', '/v1/images/x'],
    ['//v1/images', '/v1/images'],
    ['/v1', '/v1'],
    ['/v1?x=1', '/v1?x=1'],
    ['/v1/', '/v1/'],
    ['http://host:1/v1/images', '/v1/images'],
    ['/versions', '/versions'],
    ['/versions/x?y', '/versions'],
    ['/', '/'],
    ['', '/'],
    ['/images', '/'],
    ['/v1.2/images', '/'],
    ['/v1./images', '/'],
    ['/va.1/images', '/'],
    ['/v2/images', '/'],
    ['/v3', '/'],
    ['/V1/images', '/'],
    ['/v11/images', '/'],
  ])('leads %s to %s', (url, path) => {
    expect(to(url)).toBe(path)
  })

  it('takes the version from Accept and then leaves the path alone', () => {
    expect(to('/images', 'application/vnd.openstack.images-v1')).toBe('/v1/images')
    expect(to('/images?limit=1', 'application/vnd.openstack.images-v1.1')).toBe('/v1/images?limit=1')
    expect(to('/v1/images', 'application/vnd.openstack.images-v1')).toBe('/v1/v1/images')
    expect(to('/v1/images', 'application/vnd.openstack.images-v9')).toBe('/')
    expect(to('/versions', 'application/vnd.openstack.images-v1')).toBe('/versions')
    expect(to('/v1/images', 'text/html, application/vnd.openstack.images-v9')).toBe('/v1/images')
  })
})

describe('the list of versions (§1.2)', () => {
  const links = [{ rel: 'self', href: 'http://images.test/v1/' }]

  it.each([
    ['GET', '/', 300],
    ['GET', '/v3/images', 300],
    ['POST', '/images', 300],
    ['GET', '/versions', 200],
    ['DELETE', '/versions/x', 200],
    ['PROPFIND', '/versions', 200],
  ])('%s %s is %i, before anybody is asked who they are', async (method, path, status) => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    const answer = await server.call(method, path)
    expect([answer.status, answer.headers['content-type']]).toEqual([status, 'application/json'])
    expect(answer.json).toEqual({
      versions: [
        { id: 'v1.1', status: 'DEPRECATED', links },
        { id: 'v1.0', status: 'DEPRECATED', links },
      ],
    })
    expect(answer.headers).not.toHaveProperty('x-openstack-request-id')
  })

  it('is found under the public endpoint', async () => {
    const server = await startServer({ settings: { publicEndpoint: 'https://images.example/glance/' } })
    const { json } = await server.call('GET', '/versions')
    expect(json.versions[0]?.links).toEqual([{ rel: 'self', href: 'https://images.example/glance/v1/' }])
  })

  it('is found at the address of the server when the client names none', async () => {
    const server = await startServer()
    const answer = await server.raw('GET /versions HTTP/1.0\r\n\r\n')
    expect(answer.text).toContain(`"href":"${server.url}/v1/"`)
  })

  it.each(['/v1', '/v1.0', '/v1.1'])('GET %s is redirected to the root of the version', async (path) => {
    const server = await startServer()
    const answer = await server.call('GET', path)
    expect([answer.status, answer.headers['location'], answer.text]).toEqual([302, 'http://images.test/v1/', ''])
  })

  it('serves the API by Accept header', async () => {
    const server = await startServer()
    const accept = 'application/vnd.openstack.images-v1'
    expect((await server.call('GET', '/images', { accept })).text).toBe('{"images":[]}')
    expect((await server.call('GET', '/v1/images', { accept })).status).toBe(404)
  })
})
