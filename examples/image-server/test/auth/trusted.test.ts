import { describe, expect, it } from 'vitest'
import { trustedHeaders } from '../../src/auth/trusted.ts'
import type { Identity } from '../../src/auth/identity.ts'
import { identity, startServer, type TestServer, utf8AsLatin1 } from '../v1/server.ts'

const CONFIRMED = { 'x-identity-status': 'Confirmed' }
const read = (headers: Record<string, string>): Promise<Identity | undefined> =>
  trustedHeaders.identify({ headers, rawHeaders: Object.entries(headers).flat() } as never)

describe('identity headers of a proxy (Images v1 §2.1)', () => {
  it('count in the order of their names, the first that is there, empty or not', async () => {
    const all = {
      ...CONFIRMED,
      'x-user': 'u2',
      'x-project-id': '',
      'x-tenant': 't3',
      'x-role': 'r2',
    }
    expect(await read(all)).toEqual({ user: 'u2', tenant: '', roles: ['r2'] })
    const { 'x-project-id': _, 'x-role': __, ...rest } = all
    expect(await read({ ...rest, 'x-tenant-id': 't2', 'x-user-id': 'u1', 'x-roles': 'r1,r3' })).toEqual({
      user: 'u1',
      tenant: 't2',
      roles: ['r1', 'r3'],
    })
  })

  it('may all be there as keystonemiddleware sends them: old names for the ids and roles, and names beside the ids', async () => {
    const ids = { 'x-user-id': 'u1', 'x-project-id': 't1', 'x-tenant-id': 't1', 'x-roles': 'r1,r2', 'x-role': 'r1,r2' }
    const names = { 'x-user': 'alice', 'x-user-name': 'alice', 'x-tenant': 'demo', 'x-tenant-name': 'demo' }
    const who = { user: 'u1', tenant: 't1', roles: ['r1', 'r2'] }
    expect(await read({ ...CONFIRMED, ...ids, ...names })).toEqual(who)
  })

  it('are UTF-8', async () => {
    expect(await read({ ...CONFIRMED, 'x-project-id': utf8AsLatin1('größe') })).toMatchObject({ tenant: 'größe' })
  })

  it('carry a service catalog that is JSON, or 400', async () => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    const bad = await server.call('GET', '/v1/images', { ...identity('t1'), 'x-service-catalog': '{' })
    expect([bad.status, bad.text]).toEqual([400, expect.stringContaining('Invalid service catalog json.')])
    expect((await server.call('GET', '/v1/images', { ...identity('t1'), 'x-service-catalog': '[]' })).status).toBe(200)
  })
})

describe('security §4.11, behind a proxy', () => {
  const status = async (server: TestServer, headers: Parameters<TestServer['call']>[2]): Promise<number> =>
    (await server.call('GET', '/v1/images', headers)).status

  it.each([undefined, 'confirmed', 'Invalid', '', 'Confirmed, Invalid'])(
    'an identity status of %j confirms nobody: 401, or anonymous and read-only',
    async (value) => {
      const spoofed = { ...identity('t1', 'admin'), 'x-identity-status': value }
      const strict = await startServer({ settings: { auth: 'trusted' } })
      const refused = await strict.call('GET', '/v1/images', spoofed)
      expect([refused.status, refused.headers['x-openstack-request-id']]).toEqual([401, undefined])
      const lax = await startServer({ settings: { auth: 'trusted', allowAnonymousAccess: true } })
      expect(await status(lax, spoofed)).toBe(200)
      const written = await lax.call('POST', '/v1/images', spoofed)
      expect([written.status, written.text]).toEqual([403, expect.stringContaining('Read-only access')])
    },
  )

  it('headers spelled with underscores are not heard', async () => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    const spoofed = { X_Identity_Status: 'Confirmed', X_Roles: 'admin', X_Project_Id: 't1' }
    expect(await status(server, spoofed)).toBe(401)
    const user = { ...identity('t1', 'member'), X_Roles: 'admin' }
    expect((await server.call('GET', '/v1/images/detail?is_public=none', user)).json.images).toEqual([])
    const created = await server.call('POST', '/v1/images', { ...user, X_Project_Id: 't2' })
    expect(created.json.image.owner).toBe('t1')
  })

  it.each(['X-Identity-Status', 'X-Roles', 'X-Project-Id', 'X-User-Id', 'x-tenant'])(
    'a second %s beside that of the proxy is refused, whichever comes first',
    async (name) => {
      const server = await startServer({ settings: { auth: 'trusted' } })
      const value = name === 'X-Identity-Status' ? 'Confirmed' : 'admin'
      const proxy: [string, string][] = Object.entries({ ...identity('t1', 'member'), 'x-tenant': 't1' })
      expect(await status(server, proxy)).toBe(200)
      // two different statuses are none that confirms
      const expected = name === 'X-Identity-Status' ? 401 : 400
      expect(await status(server, [[name, value], ...proxy])).toBe(expected)
      expect(await status(server, [...proxy, [name, value]])).toBe(expected)
    },
  )

  it.each([
    ['X-Project-Id', 'X-Tenant-Id'],
    ['X-Tenant-Id', 'X-Project-Id'],
    ['X-Roles', 'X-Role'],
    ['X-Role', 'X-Roles'],
  ])('a %s of the proxy and another %s beside it are refused', async (ofProxy, ofClient) => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    const proxy = { 'x-identity-status': 'Confirmed', 'x-user-id': 'u1', [ofProxy]: 'member' }
    expect(await status(server, { ...proxy, [ofClient]: 'member' })).toBe(200)
    for (const value of ['admin', '']) {
      const answer = await server.call('GET', '/v1/images', { ...proxy, [ofClient]: value })
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('differ')])
    }
  })
})
