import { describe, expect, it } from 'vitest'
import { reserved, startServer } from './server.ts'

describe('routes (Images v1 §1.3)', () => {
  it.each([
    ['HEAD', '/v1/images', 'GET, POST'],
    ['PUT', '/v1/images', 'GET, POST'],
    ['DELETE', '/v1/images', 'GET, POST'],
    ['PATCH', '/v1/images', 'GET, POST'],
    ['OPTIONS', '/v1/images', 'GET, POST'],
    ['PROPFIND', '/v1/images?x=1', 'GET, POST'],
    ['HEAD', '/v1/images/detail', 'GET'],
    ['PUT', '/v1/images/detail', 'GET, HEAD'],
    ['POST', '/v1/images/detail', 'GET, HEAD'],
    ['DELETE', '/v1/images/detail', 'GET, HEAD'],
    ['POST', '/v1/images/x', 'GET, HEAD, PUT, DELETE'],
    ['PATCH', '/v1/images/x', 'GET, HEAD, PUT, DELETE'],
    ['POST', '/v1/', 'GET'],
  ])('%s %s is 405, allowed: %s', async (method, path, allow) => {
    const server = await startServer()
    const answer = await server.call(method, path)
    expect([answer.status, answer.headers['allow']]).toEqual([405, allow])
  })

  it.each([
    ['GET', '/v1/images/', 404],
    ['GET', '/v1/images/x/', 404],
    ['GET', '/v1/images.json', 404],
    ['GET', '/v1/Images', 404],
    ['POST', '/v1/nothing', 404],
    ['PATCH', '/v1/nothing', 404],
    ['GET', '/v1/images/x/members', 404],
    ['PROPFIND', '/v1/nothing', 501],
    ['OPTIONS', '/v1/nothing', 501],
    ['QUERY', '/v1/nothing', 501],
  ])('%s %s is %i', async (method, path, status) => {
    const server = await startServer()
    expect((await server.call(method, path)).status).toBe(status)
  })

  it('looks up an image named detail.json', async () => {
    const server = await startServer()
    const answer = await server.call('GET', '/v1/images/detail.json')
    expect([answer.status, answer.text]).toEqual([
      404,
      expect.stringContaining('Image with identifier detail.json not found'),
    ])
  })

  it('looks up whatever is one segment: encoded slashes, long names', async () => {
    const server = await startServer()
    const climbing = await server.call('GET', '/v1/images/..%2f..%2fetc%2fpasswd')
    expect([climbing.status, climbing.text]).toEqual([404, expect.stringContaining('../../etc/passwd not found')])
    expect((await server.call('HEAD', `/v1/images/${'x'.repeat(5000)}`)).status).toBe(404)
  })

  it('answers 400 to a path that is no UTF-8', async () => {
    const server = await startServer()
    const answer = await server.call('GET', '/v1/images/%ff')
    expect(answer.status).toBe(400)
  })

  it('refuses an unknown path only after it knows who asks', async () => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    for (const [method, path] of [
      ['GET', '/v1/nothing'],
      ['PROPFIND', '/v1/images'],
      ['PATCH', '/v1/images'],
    ] as const) {
      const answer = await server.call(method, path)
      expect([answer.status, answer.headers['x-openstack-request-id']]).toEqual([401, undefined])
    }
  })

  it('ignores unknown query parameters everywhere', async () => {
    const server = await startServer()
    const id = await reserved(server)
    expect((await server.call('PUT', `/v1/images/${id}?format=json`)).status).toBe(200)
    expect((await server.call('DELETE', `/v1/images/${id}?format=json`)).status).toBe(200)
  })
})
