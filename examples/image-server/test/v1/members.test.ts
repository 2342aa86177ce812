import { beforeEach, describe, expect, it } from 'vitest'
import {
  type Answer,
  identity,
  policyWithout,
  startServer,
  type TestServer,
  type TestOptions,
  uploaded,
} from './server.ts'

const trusted: TestOptions = { settings: { auth: 'trusted' } }
const owner = identity('t1', 'member')
const member = identity('t2', 'member')
const stranger = identity('t3', 'member')
const admin = identity('ops', 'admin')

let server: TestServer
let id: string

beforeEach(async () => {
  server = await startServer(trusted)
  id = await uploaded(server, 'data', owner)
})

const json = (value: unknown): string => JSON.stringify(value)
const path = (name = ''): string => `/v1/images/${id}/members${name === '' ? '' : `/${name}`}`
const put = (name: string, body?: unknown, who: Record<string, string> = owner): Promise<Answer> =>
  server.call('PUT', path(name), who, body === undefined ? undefined : json(body))
const members = async (who = owner): Promise<unknown> =>
  (JSON.parse((await server.call('GET', path(), who)).text) as { members: unknown }).members
const entry = (name: string, share = false): object => ({ member_id: name, can_share: share })

describe('PUT /v1/images/{id}/members/{member}', () => {
  it('answers 204 without a body and lets the member see and download the image', async () => {
    expect((await server.call('GET', `/v1/images/${id}`, member)).status).toBe(404)
    const answer = await put('t2')
    expect([answer.status, answer.text]).toEqual([204, ''])
    expect((await server.call('GET', `/v1/images/${id}`, member)).text).toBe('data')
    expect(await members()).toEqual([entry('t2')])
  })

  it.each([
    [undefined, false],
    [{}, false],
    [{ member: {} }, false],
    [{ member: { can_share: true } }, true],
    [{ member: { can_share: 'false' } }, true],
    [{ member: { can_share: null } }, false],
    [{ member: { can_share: 0 } }, false],
    [{ member: { can_share: [] } }, false],
    [{ member: { can_share: [0] } }, true],
  ])('takes %j as can_share %j for a new member', async (body, expected) => {
    expect((await put('t2', body)).status).toBe(204)
    expect(await members()).toEqual([entry('t2', expected)])
  })

  it('changes can_share of a member when it is said, and else leaves it', async () => {
    await put('t2', { member: { can_share: true } })
    await put('t2')
    expect(await members()).toEqual([entry('t2', true)])
    await put('t2', { member: { can_share: false } })
    expect(await members()).toEqual([entry('t2', false)])
  })

  it('brings back a member who was removed', async () => {
    await put('t2', { member: { can_share: true } })
    await server.call('DELETE', path('t2'), owner)
    expect((await put('t2')).status).toBe(204)
    expect(await members()).toEqual([entry('t2', false)])
  })

  it.each([
    ['{', 'Malformed JSON in request body.'],
    ['"text"', 'Unexpected body type. Expected list/dict.'],
    ['[]', 'Invalid membership association'],
    ['{"member": null}', 'Invalid membership association'],
    ['{"member": []}', 'Invalid membership association'],
    ['\xff\xfe', 'Malformed JSON in request body.'],
  ])('answers 400 to %j and changes nothing', async (body, text) => {
    const answer = await server.call('PUT', path('t2'), owner, Buffer.from(body, 'latin1'))
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(text)])
    expect(await members()).toEqual([])
  })

  it('answers 400 to a name that no registry can keep, and 413 to a body that no member needs', async () => {
    expect((await put('x'.repeat(256))).status).toBe(400)
    expect((await server.call('PUT', path('t2'), owner, `{"x":"${'y'.repeat(1024 * 1024)}"}`)).status).toBe(413)
    expect(await members()).toEqual([])
  })
})

describe('PUT /v1/images/{id}/members', () => {
  const replace = (body: unknown, who = owner): Promise<Answer> => server.call('PUT', path(), who, json(body))

  it('makes the members exactly those, and keeps what an entry does not say', async () => {
    await put('a', { member: { can_share: true } })
    await put('b')
    const answer = await replace({ memberships: [{ member_id: 'a' }, { member_id: 'c', can_share: true }] })
    expect([answer.status, answer.text]).toEqual([204, ''])
    expect(await members()).toEqual([entry('a', true), entry('c', true)])
  })

  it('takes an object without memberships as the one entry, and the last of two entries for one member', async () => {
    expect((await replace({ member_id: 'x', can_share: 1 })).status).toBe(204)
    expect(await members()).toEqual([entry('x', true)])
    const twice = {
      memberships: [
        { member_id: 'x', can_share: true },
        { member_id: 'x', can_share: false },
      ],
    }
    expect((await replace(twice)).status).toBe(204)
    expect(await members()).toEqual([entry('x', false)])
  })

  it('takes all members away', async () => {
    await put('a')
    expect((await replace({ memberships: [] })).status).toBe(204)
    expect(await members()).toEqual([])
  })

  it.each([
    [{}],
    [[]],
    [{ memberships: null }],
    [{ memberships: [1] }],
    [{ memberships: [{}] }],
    [{ memberships: [{ member_id: 1 }] }],
  ])('answers 400 to %j and changes nothing', async (body) => {
    await put('a')
    const answer = await replace(body)
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('Invalid membership association: ')])
    expect(await members()).toEqual([entry('a')])
  })

  it('answers 400 to no body', async () => {
    expect((await server.call('PUT', path(), owner)).status).toBe(400)
  })
})

describe('DELETE /v1/images/{id}/members/{member}', () => {
  it('takes the image from the member at once', async () => {
    await put('t2')
    const answer = await server.call('DELETE', path('t2'), owner)
    expect([answer.status, answer.text]).toEqual([204, ''])
    expect((await server.call('GET', `/v1/images/${id}`, member)).status).toBe(404)
  })

  it('answers 404 for somebody who is no member', async () => {
    const answer = await server.call('DELETE', path('t9'), owner)
    expect([answer.status, answer.text]).toEqual([404, expect.stringContaining('Membership could not be found.')])
  })

  it('lets a member leave', async () => {
    await put('t2', { member: { can_share: true } })
    expect((await server.call('DELETE', path('t2'), member)).status).toBe(204)
    expect(await members()).toEqual([])
  })
})

describe('who may know and change the members', () => {
  beforeEach(async () => {
    await put('t2', { member: { can_share: true } })
    await put('t4')
  })

  it('shows all to the owner and to admins, to a member its own entry, to others none or no image', async () => {
    const all = [entry('t2', true), entry('t4')]
    expect([await members(owner), await members(admin)]).toEqual([all, all])
    expect(await members(member)).toEqual([entry('t2', true)])
    expect((await server.call('GET', path(), stranger)).status).toBe(404)
    await server.call('PUT', `/v1/images/${id}`, { ...admin, 'x-image-meta-is_public': 'true', ...PURGE })
    expect(await members(stranger)).toEqual([])
  })

  it('S-04: refuses whoever sees the image but may not share it, and changes nothing', async () => {
    const refused = 'No permission to share that image'
    for (const answer of [
      await put('t9', undefined, identity('t4')),
      await server.call('PUT', path(), identity('t4'), json({ memberships: [] })),
      await server.call('DELETE', path('t2'), identity('t4')),
    ]) {
      expect([answer.status, answer.text]).toEqual([404, expect.stringContaining(refused)])
    }
    expect((await put('t9', undefined, stranger)).text).toContain(`Image with identifier ${id} not found`)
    expect(await members()).toEqual([entry('t2', true), entry('t4')])
  })

  it('lets a member who may share add others, and not touch them afterwards', async () => {
    expect((await put('t9', undefined, member)).status).toBe(204)
    for (const answer of [
      await put('t4', { member: { can_share: true } }, member),
      await server.call('DELETE', path('t4'), member),
    ]) {
      expect([answer.status, answer.text]).toEqual([404, expect.stringContaining('Membership could not be found.')])
    }
    const list = { memberships: [{ member_id: 't5' }, { member_id: 't4', can_share: true }] }
    expect((await server.call('PUT', path(), member, json(list))).status).toBe(204)
    expect(await members()).toEqual(expect.arrayContaining([entry('t4', false), entry('t9'), entry('t5')]))
  })

  it('undoes nothing that the owner does while a member shares on', async () => {
    const { members: kept } = server.ports
    const list: typeof kept.list = async (image) => {
      const known = await kept.list(image)
      if ((await kept.find(image, 't4')) !== undefined) await kept.remove(image, 't4') // in the middle of what follows
      await kept.put(image, { member: 'new' })
      return known
    }
    const slow = await startServer({ ...trusted, ports: { ...server.ports, members: { ...kept, list } } })
    const answer = await slow.call(
      'PUT',
      path(),
      member,
      json({ memberships: [{ member_id: 't2' }, { member_id: 't5' }] }),
    )
    expect(answer.status).toBe(204)
    expect((await kept.list(id)).map((one) => one.member).toSorted()).toEqual(['new', 't2', 't5'])
  })

  it('refuses who only reads, who is nobody, and who a policy keeps out', async () => {
    const open = await startServer({ settings: { auth: 'trusted', allowAnonymousAccess: true } })
    const there = `/v1/images/${await uploaded(open, 'x', { ...admin, 'x-image-meta-is_public': 'true' })}/members`
    expect((await open.call('PUT', `${there}/t2`)).text).toContain('Read-only access')
    const nobody = { 'x-identity-status': 'Confirmed', 'x-user-id': 'u', 'x-roles': 'member' }
    for (const method of ['PUT', 'DELETE']) {
      const answer = await server.call(method, path('t2'), nobody)
      expect([answer.status, answer.text]).toEqual([401, expect.stringContaining('No authenticated user')])
    }
    for (const action of ['get_members', 'modify_member', 'delete_member'] as const) {
      const strict = await startServer({ ...trusted, ports: { policy: policyWithout(action) } })
      const kept = `/v1/images/${await uploaded(strict, 'x', owner)}/members`
      const method = action === 'get_members' ? 'GET' : action === 'modify_member' ? 'PUT' : 'DELETE'
      expect((await strict.call(method, action === 'get_members' ? kept : `${kept}/t2`, owner)).status).toBe(403)
    }
  })

  it('answers 404 for a deleted image, with a reason for admins only', async () => {
    await server.call('DELETE', `/v1/images/${id}`, owner)
    for (const method of ['GET', 'PUT']) {
      const answer = await server.call(method, path(), admin, method === 'PUT' ? json({ memberships: [] }) : undefined)
      expect([answer.status, answer.text]).toEqual([404, expect.stringContaining('has been deleted.')])
    }
    expect((await server.call('GET', path(), owner)).text).toContain('not found')
  })
})

const PURGE = { 'x-glance-registry-purge-props': 'false' }

describe('the quota of members', () => {
  it('refuses one too many, and counts new members only', async () => {
    const small = await startServer({ settings: { auth: 'trusted', memberQuota: 2 } })
    const there = `/v1/images/${await uploaded(small, 'x', owner)}/members`
    for (const name of ['a', 'b', 'a']) expect((await small.call('PUT', `${there}/${name}`, owner)).status).toBe(204)
    const text = expect.stringContaining(
      'The limit has been exceeded on the number of allowed image members for this image. Attempted: 3, Maximum: 2',
    )
    const one = await small.call('PUT', `${there}/c`, owner)
    expect([one.status, one.text]).toEqual([413, text])
    const three = { memberships: ['d', 'e', 'f'].map((name) => ({ member_id: name })) }
    const all = await small.call('PUT', there, owner, json(three))
    expect([all.status, all.text]).toEqual([413, text])
    expect((await small.call('GET', there, owner)).text).toBe(json({ members: [entry('a'), entry('b')] }))
  })

  it('is none when it is negative', async () => {
    const open = await startServer({ settings: { auth: 'trusted', memberQuota: -1 } })
    const there = `/v1/images/${await uploaded(open, 'x', owner)}/members`
    const many = { memberships: Array.from({ length: 200 }, (_, index) => ({ member_id: `m${index}` })) }
    expect((await open.call('PUT', there, owner, json(many))).status).toBe(204)
  })
})
