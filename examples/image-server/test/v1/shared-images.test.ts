import { beforeEach, describe, expect, it } from 'vitest'
import { identity, startServer, type TestServer, uploaded } from './server.ts'

const owner = identity('t1', 'member')
const member = identity('t2', 'member')
const stranger = identity('t3', 'member')
const admin = identity('ops', 'admin')

let server: TestServer
let id: string

beforeEach(async () => {
  server = await startServer({ settings: { auth: 'trusted' } })
  id = await uploaded(server, 'data', owner)
})

const put = (name: string) => server.call('PUT', `/v1/images/${id}/members/${name}`, owner)

describe('GET /v1/shared-images/{member}', () => {
  const shared = async (name: string, who: Record<string, string>): Promise<unknown> => {
    const answer = await server.call('GET', `/v1/shared-images/${name}`, who)
    expect(answer.status).toBe(200)
    return JSON.parse(answer.text)
  }
  const one = { shared_images: [{ image_id: expect.any(String), can_share: false }] }
  const none = { shared_images: [] }

  it('shows what was shared with a tenant to itself, to admins, and to who owns the image', async () => {
    await put('t2')
    expect(await shared('t2', member)).toEqual({ shared_images: [{ image_id: id, can_share: false }] })
    expect([await shared('t2', admin), await shared('t2', owner)]).toEqual([one, one])
    expect([await shared('t2', stranger), await shared('nobody', admin)]).toEqual([none, none])
  })

  it('forgets what was deleted', async () => {
    await put('t2')
    await server.call('DELETE', `/v1/images/${id}`, owner)
    expect(await shared('t2', member)).toEqual(none)
  })
})

describe('routes of members', () => {
  it.each([
    ['GET', 'members/t2', 405, undefined],
    ['POST', 'members', 405, 'GET, PUT'],
    ['DELETE', 'members', 405, 'GET, PUT'],
    ['POST', 'members/t2', 405, 'GET, PUT, DELETE'],
    ['PUT', 'members/', 404, undefined],
    ['PUT', 'members/a/b', 404, undefined],
  ])('%s %s: %i', async (method, rest, status, allow) => {
    const answer = await server.call(method, `/v1/images/${id}/${rest}`, owner)
    expect([answer.status, answer.headers['allow']]).toEqual([status, allow])
  })

  it.each(['POST', 'PUT', 'DELETE'])('%s /shared-images/t2: 405', async (method) => {
    const answer = await server.call(method, '/v1/shared-images/t2', owner)
    expect([answer.status, answer.headers['allow']]).toEqual([405, 'GET'])
  })
})
