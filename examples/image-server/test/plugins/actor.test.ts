import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { Identity } from '../../src/auth/identity.ts'
import { type ActorSettings, actorWith } from '../../src/plugins/actor.ts'
import { createLog } from '../../src/server/log.ts'
import { identity, SETTINGS, startServer } from '../v1/server.ts'

const settings: ActorSettings = { ...SETTINGS, auth: 'trusted' }
const somebody: Identity = { user: 'u', tenant: 't', roles: [] }

describe('who asks (Images v1 §2)', () => {
  it('is nobody without an identity, or somebody who may only read', () => {
    expect(actorWith(undefined, settings)).toBeUndefined()
    const anonymous = { user: undefined, tenant: undefined, owner: undefined, roles: [], admin: false, readOnly: true }
    expect(actorWith(undefined, { ...settings, allowAnonymousAccess: true })).toEqual(anonymous)
  })

  it('has an owner only where there is a tenant: none is not the same as an empty one', () => {
    expect(actorWith({ ...somebody, tenant: undefined }, settings)?.owner).toBeUndefined()
    expect(actorWith({ ...somebody, tenant: '' }, settings)?.owner).toBe('')
  })

  it('is owned by the user when tenants own nothing, and has a tenant all the same', () => {
    expect(actorWith(somebody, { ...settings, ownerIsTenant: false })).toMatchObject({ owner: 'u', tenant: 't' })
  })

  it('has roles in lower case, without blanks, and is an admin by one of them exactly (§4.11)', () => {
    const roles = (...given: string[]): unknown => {
      const actor = actorWith({ ...somebody, roles: given }, { ...settings, adminRole: 'Boss' })
      return [actor?.roles, actor?.admin]
    }
    expect(roles(' Member ', ' BOSS')).toEqual([['member', 'boss'], true])
    expect(roles('bosses', 'boss2', 'bo ss')).toEqual([['bosses', 'boss2', 'bo ss'], false])
    expect(roles('')).toEqual([[], false])
  })

  it('is an admin by a rule too, which is asked with what is known', () => {
    const admits = (actor: unknown): boolean => JSON.stringify(actor) === '{"user":"u","tenant":"t","roles":["ops"]}'
    const of = (roles: string[]) => actorWith({ ...somebody, roles }, { ...settings, adminRule: { admits } })
    expect(of(['OPS'])?.admin).toBe(true)
    expect(of(['member'])?.admin).toBe(false)
  })

  it('does not matter without authentication: everybody is an administrator, or may only read', async () => {
    const open = await startServer()
    const spoofed = identity('t1', 'member')
    expect((await open.call('POST', '/v1/images', spoofed)).json.image.owner).toBeNull()
    const strict = await startServer({ settings: { allowAnonymousWrites: false } })
    const refused = await strict.call('POST', '/v1/images', identity('t1', 'admin'))
    expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('Read-only access')])
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

  it('S-42: is refused when it is too long, and neither repeated nor logged', async () => {
    const log: string[] = []
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        log.push(chunk.toString())
        done()
      },
    })
    const server = await startServer({ settings: { auth: 'trusted', logger: createLog('trace', stream) } })
    const long = 'a'.repeat(65)
    const answer = await server.call('GET', '/v1/images', { ...identity('t1'), [ID]: long })
    expect([answer.status, answer.headers[ID]]).toEqual([431, undefined])
    expect(answer.octets).not.toContain(long)
    expect(log.join('')).toContain('/v1/images')
    expect(log.join('')).not.toContain(long)
    const unlimited = await startServer({ settings: { auth: 'trusted', maxRequestIdLength: 0 } })
    expect((await unlimited.call('GET', '/v1/images', { ...identity('t1'), [ID]: long })).status).toBe(200)
  })
})
