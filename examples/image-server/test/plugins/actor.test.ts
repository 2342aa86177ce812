import { describe, expect, it } from 'vitest'
import { type ActorSettings, actorFrom } from '../../src/plugins/actor.ts'
import { identity, SETTINGS, startServer, utf8AsLatin1 } from '../v1/server.ts'

const trusted: ActorSettings = { ...SETTINGS, auth: 'trusted' }
const CONFIRMED = { 'x-identity-status': 'Confirmed' }

describe('who asks (Images v1 §2)', () => {
  it('is nobody in particular, and an administrator, without authentication', () => {
    const actor = actorFrom({ ...CONFIRMED, 'x-project-id': 't1', 'x-roles': 'member' }, SETTINGS)
    expect(actor).toEqual({ user: undefined, owner: undefined, roles: [], admin: true, readOnly: false })
  })

  it('may only read without authentication where anonymous writes are not allowed', () => {
    expect(actorFrom({}, { ...SETTINGS, allowAnonymousWrites: false })).toMatchObject({ admin: false, readOnly: true })
  })

  it.each([undefined, 'confirmed', 'Invalid', '', 'Confirmed, Invalid'])(
    'is refused with the identity status %j',
    (status) => {
      const headers = {
        ...(status !== undefined && { 'x-identity-status': status }),
        'x-project-id': 't1',
        'x-roles': 'admin',
      }
      expect(() => actorFrom(headers, trusted)).toThrow(expect.objectContaining({ status: 401 }))
      const anonymous = { user: undefined, owner: undefined, roles: [], admin: false, readOnly: true }
      expect(actorFrom(headers, { ...trusted, allowAnonymousAccess: true })).toEqual(anonymous)
    },
  )

  it('takes the first header that is there, empty or not', () => {
    const all = {
      ...CONFIRMED,
      'x-user': 'u2',
      'x-project-id': '',
      'x-tenant-id': 't2',
      'x-tenant': 't3',
      'x-role': 'r2',
    }
    expect(actorFrom(all, trusted)).toMatchObject({ user: 'u2', owner: '', roles: ['r2'] })
    const { 'x-project-id': _, ...rest } = all
    expect(actorFrom({ ...rest, 'x-user-id': 'u1', 'x-roles': 'r1' }, trusted)).toMatchObject({
      user: 'u1',
      owner: 't2',
      roles: ['r1'],
    })
  })

  it('has an owner only by the headers: none is not the same as an empty one', () => {
    expect(actorFrom(CONFIRMED, trusted).owner).toBeUndefined()
  })

  it('is owned by the user when tenants own nothing', () => {
    const headers = { ...CONFIRMED, 'x-user-id': 'u', 'x-project-id': 't' }
    expect(actorFrom(headers, { ...trusted, ownerIsTenant: false }).owner).toBe('u')
  })

  it('has roles in lower case, without blanks, and is an admin by one of them exactly', () => {
    const roles = (text: string): unknown => {
      const actor = actorFrom({ ...CONFIRMED, 'x-roles': text }, { ...trusted, adminRole: 'Boss' })
      return [actor.roles, actor.admin]
    }
    expect(roles(' Member , BOSS')).toEqual([['member', 'boss'], true])
    expect(roles('bosses,boss2')).toEqual([['bosses', 'boss2'], false])
    expect(roles('')).toEqual([[], false])
  })

  it('is named in UTF-8', () => {
    expect(actorFrom({ ...CONFIRMED, 'x-project-id': utf8AsLatin1('größe') }, trusted).owner).toBe('größe')
  })

  it('does not hear headers spelled with underscores', async () => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    const spoofed = { X_Identity_Status: 'Confirmed', X_Roles: 'admin', X_Project_Id: 't1' }
    expect((await server.call('GET', '/v1/images', spoofed)).status).toBe(401)
    const user = { ...identity('t1', 'member'), X_Roles: 'admin' }
    expect((await server.call('GET', '/v1/images/detail?is_public=none', user)).json.images).toEqual([])
  })

  it('sends a service catalog that is JSON, or 400', async () => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    const bad = await server.call('GET', '/v1/images', { ...identity('t1'), 'x-service-catalog': '{' })
    expect([bad.status, bad.text]).toEqual([400, expect.stringContaining('Invalid service catalog json.')])
    expect((await server.call('GET', '/v1/images', { ...identity('t1'), 'x-service-catalog': '[]' })).status).toBe(200)
  })
})

describe('the id of a request (§2.3)', () => {
  const ID = 'x-openstack-request-id'

  it.each([
    ['abc', 'req-abc'],
    ['req-abc', 'req-abc'],
    ['a'.repeat(64), `req-${'a'.repeat(64)}`],
  ])('is what a known client says: %s', async (given, expected) => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    const answer = await server.call('GET', '/v1/images', { ...identity('t1'), [ID]: given })
    expect(answer.headers[ID]).toBe(expected)
  })

  it('is random without authentication, and on errors too', async () => {
    const server = await startServer()
    const random = /^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
    expect((await server.call('GET', '/v1/images', { [ID]: 'mine' })).headers[ID]).toMatch(random)
    expect((await server.call('GET', '/v1/images/nope')).headers[ID]).toMatch(random)
    expect((await server.call('GET', '/v1/nothing')).headers[ID]).toMatch(random)
  })

  it('is refused when it is too long, and not repeated', async () => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    const long = 'a'.repeat(65)
    const answer = await server.call('GET', '/v1/images', { ...identity('t1'), [ID]: long })
    expect([answer.status, answer.headers[ID]]).toEqual([431, undefined])
    expect(answer.octets).not.toContain(long)
    const unlimited = await startServer({ settings: { auth: 'trusted', maxRequestIdLength: 0 } })
    expect((await unlimited.call('GET', '/v1/images', { ...identity('t1'), [ID]: long })).status).toBe(200)
  })
})
