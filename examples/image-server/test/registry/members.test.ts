import { describe, expect, it } from 'vitest'
import { type Call, type Registered, registered } from './client.ts'

const ID = '5d1c4bc0-0000-4000-8000-000000000001'

async function shared(): Promise<Registered & { readonly owner: Call }> {
  const registry = await registered({ auth: 'trusted' })
  const owner = registry.as('owner', 'member')
  await owner('POST', '/images', { image: { id: ID } })
  return { ...registry, owner }
}

const listed = async (call: Call): Promise<Record<string, boolean>> => {
  const { members } = (await call('GET', `/images/${ID}/members`)).json
  return Object.fromEntries(members.map(({ member_id: member, can_share: canShare }) => [member, canShare]))
}

describe('members', () => {
  it('are added, changed and removed, with 204', async () => {
    const { owner } = await shared()
    expect((await owner('PUT', `/images/${ID}/members/a`)).status).toBe(204)
    expect((await owner('PUT', `/images/${ID}/members/b`, { member: { can_share: 1 } })).status).toBe(204)
    expect((await owner('PUT', `/images/${ID}/members/b`, {})).status).toBe(204)
    expect(await listed(owner)).toEqual({ a: false, b: true })
    expect((await owner('DELETE', `/images/${ID}/members/a`)).status).toBe(204)
    const again = await owner('DELETE', `/images/${ID}/members/a`)
    expect([again.status, again.text.includes('Membership could not be found.')]).toEqual([404, true])
    expect(await listed(owner)).toEqual({ b: true })
  })

  it('are replaced all together', async () => {
    const { owner } = await shared()
    await owner('PUT', `/images/${ID}/members/a`, { member: { can_share: true } })
    await owner('PUT', `/images/${ID}/members/b`)
    const memberships = [{ member_id: 'a' }, { member_id: 'c', can_share: true }]
    expect((await owner('PUT', `/images/${ID}/members`, { memberships })).status).toBe(204)
    expect(await listed(owner)).toEqual({ a: true, c: true })
    expect((await owner('PUT', `/images/${ID}/members`, { memberships: [] })).status).toBe(204)
    expect(await listed(owner)).toEqual({})
  })

  it.each([
    ['members/a', { member: {} }],
    ['members/a', { nonsense: 1 }],
    ['members', {}],
    ['members', { memberships: [{}] }],
    ['members', { memberships: 'a' }],
  ])('PUT %s of %j is 400', async (path, body) => {
    const { owner } = await shared()
    const answer = await owner('PUT', `/images/${ID}/${path}`, body)
    expect([answer.status, answer.text.includes('Invalid membership association: ')]).toEqual([400, true])
  })

  it('are the business of the owner, of administrators, and of members who may share', async () => {
    const { owner, as } = await shared()
    const put = async (call: Call): Promise<number> => (await call('PUT', `/images/${ID}/members/x`)).status
    expect(await put(as('stranger'))).toBe(404)
    expect(await put(as(undefined))).toBe(401)
    await owner('PUT', `/images/${ID}/members/guest`)
    const refused = await as('guest')('PUT', `/images/${ID}/members/x`)
    expect([refused.status, refused.text.includes('No permission to share that image')]).toEqual([403, true])
    await owner('PUT', `/images/${ID}/members/guest`, { member: { can_share: true } })
    expect(await put(as('guest'))).toBe(204)
    expect(await put(as('any', 'admin'))).toBe(204)
  })

  it('see themselves only', async () => {
    const { owner, as } = await shared()
    await owner('PUT', `/images/${ID}/members/a`)
    await owner('PUT', `/images/${ID}/members/b`, { member: { can_share: true } })
    expect(await listed(as('a'))).toEqual({ a: false })
    expect(await listed(as('x', 'admin'))).toEqual({ a: false, b: true })
    expect((await as('b')('DELETE', `/images/${ID}/members/a`)).status).toBe(404)
    expect((await as('stranger')('GET', `/images/${ID}/members`)).status).toBe(404)
    const images = async (call: Call): Promise<unknown> => (await call('GET', '/shared-images/a')).json.shared_images
    const expected = [{ image_id: ID, can_share: false }]
    expect(await images(as('a'))).toEqual(expected)
    expect(await images(owner)).toEqual(expected)
    expect(await images(as('x', 'admin'))).toEqual(expected)
    expect(await images(as('b'))).toEqual([])
    expect((await as('a')('POST', '/shared-images/nobody')).json.shared_images).toEqual([])
  })
})

describe('routes', () => {
  it.each([
    ['GET', `/images/${ID}/members/a`],
    ['POST', `/images/${ID}/members`],
  ])('%s %s is 405', async (method, path) => {
    const { call } = await registered()
    const answer = await call(method, path)
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'PUT, DELETE'])
  })

  it.each([
    ['PUT', '/images'],
    ['DELETE', '/images'],
    ['HEAD', '/images'],
    ['POST', `/images/${ID}`],
    ['POST', '/images/detail'],
    ['PATCH', `/images/${ID}/members`],
    ['GET', '/nothing'],
    ['GET', '/tasks/claim'],
  ])('%s %s is 404, which is not that of an image', async (method, path) => {
    const { call } = await registered()
    const answer = await call(method, path, undefined, { accept: 'application/json' })
    expect(answer.status).toBe(404)
    if (method !== 'HEAD') expect(answer.json.error).toBeUndefined()
  })

  it('answers to the id of the request', async () => {
    const { call } = await registered()
    expect((await call('GET', '/images')).headers.get('x-openstack-request-id')).toMatch(/^req-/)
  })
})
