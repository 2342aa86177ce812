import { describe, expect, it } from 'vitest'
import { parsePolicy } from '../../src/policy/policy-file.ts'
import { rulePolicy } from '../../src/policy/policy.ts'
import { type PropertyProtections, readProtections } from '../../src/protections/rules.ts'
import { type Answer, identity, startServer, type TestServer, uploaded } from '../v1/server.ts'

const MEMBER = identity('p1', 'member')
const BOSS = identity('p1', 'member', 'boss')
const KEEP = { 'x-glance-registry-purge-props': 'false' }

/** What each property allows to members; a boss may do everything but touch what no section names. */
const PROTECTIONS = readProtections(
  `
[^hidden]
create = boss
read = boss
update = boss
delete = boss
[^fixed]
create = boss
read = @
update = boss
delete = boss
[^new_]
create = member
read = member
update = !
delete = !
[^open|^n_]
create = @
read = @
update = @
delete = @
`,
  'roles',
  () => false,
)

function guarded(protections: PropertyProtections = PROTECTIONS, propertyQuota = 128): Promise<TestServer> {
  return startServer({ settings: { auth: 'trusted', propertyQuota }, ports: { protections } })
}

function properties(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`x-image-meta-property-${name}`, value]))
}

const ALL = { hidden: 'h', fixed: 'f', new_: 'n', open: 'o' }
const VISIBLE = { fixed: 'f', new_: 'n', open: 'o' }

/** An active image with one property of each kind. */
async function prepared(server: TestServer): Promise<string> {
  return uploaded(server, 'data', { ...BOSS, ...properties(ALL) })
}

async function stored(server: TestServer, id: string): Promise<unknown> {
  return Object.fromEntries((await server.image(id)).properties)
}

function shown({ headers }: Answer): unknown {
  const prefix = 'x-image-meta-property-'
  const own = Object.entries(headers).filter(([name]) => name.startsWith(prefix))
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value]))
}

function refused(name: string): string {
  return `403 Forbidden\n\nAccess was denied to this resource.\n\n Property '${name}' is protected  `
}

describe('protected properties on POST (Images v1 §3.3)', () => {
  it.each(['hidden', 'fixed', 'unmatched'])('may not be created: %s', async (name) => {
    const server = await guarded()
    const headers = { ...MEMBER, ...properties({ open: 'o', [name]: 'x' }) }
    expect((await server.call('POST', '/v1/images', headers)).text).toBe(refused(name))
    expect((await server.call('GET', '/v1/images', MEMBER)).json.images).toEqual([])
    expect(server.notices).toEqual([])
  })

  it('give an administrator no more than his roles', async () => {
    const server = await guarded()
    const headers = { ...identity('p1', 'admin'), ...properties({ hidden: 'x' }) }
    expect((await server.call('POST', '/v1/images', headers)).text).toBe(refused('hidden'))
  })

  it('are refused before the quota is, and after the policy', async () => {
    const server = await guarded(PROTECTIONS, 0)
    const answer = await server.call('POST', '/v1/images', { ...MEMBER, ...properties({ hidden: 'x' }) })
    expect(answer.text).toBe(refused('hidden'))
    const policy = rulePolicy(() => parsePolicy('policy', '{}'), 'admin')
    const closed = await startServer({ settings: { auth: 'trusted' }, ports: { protections: PROTECTIONS, policy } })
    const denied = await closed.call('POST', '/v1/images', { ...MEMBER, ...properties({ hidden: 'x' }) })
    expect([denied.status, denied.text]).toEqual([403, expect.not.stringContaining('hidden')])
  })

  it('may be written by who may not read them, and are not in the answer then', async () => {
    const blind = '[.*]\ncreate = @\nread = boss\nupdate = @\ndelete = @\n'
    const server = await guarded(readProtections(blind, 'roles', () => false))
    const answer = await server.call('POST', '/v1/images', { ...MEMBER, ...properties({ a: 'x' }) })
    expect([answer.status, answer.json.image.properties]).toEqual([201, {}])
    expect(await stored(server, answer.json.image.id)).toEqual({ a: 'x' })
  })
})

describe('properties that may not be read', () => {
  it('are in no answer', async () => {
    const server = await guarded()
    const id = await prepared(server)
    expect(shown(await server.call('HEAD', `/v1/images/${id}`, MEMBER))).toEqual(VISIBLE)
    expect(shown(await server.call('HEAD', `/v1/images/${id}`, BOSS))).toEqual(ALL)
    const sent = await server.call('GET', `/v1/images/${id}`, MEMBER)
    expect([shown(sent), sent.text]).toEqual([VISIBLE, 'data'])
    const [listed] = (await server.call('GET', '/v1/images/detail', MEMBER)).json.images
    expect(listed?.properties).toEqual(VISIBLE)
    const changed = await server.call('PUT', `/v1/images/${id}`, { ...MEMBER, ...KEEP, 'x-image-meta-name': 'n' })
    expect(changed.json.image.properties).toEqual(VISIBLE)
    expect(await stored(server, id)).toEqual(ALL)
  })

  it('are not found by filters either: their values could be guessed one by one', async () => {
    const server = await guarded()
    await prepared(server)
    const found = async (query: string, who: Record<string, string>): Promise<number[]> =>
      Promise.all(
        ['/v1/images', '/v1/images/detail'].map(
          async (path) => (await server.call('GET', `${path}?${query}`, who)).json.images.length,
        ),
      )
    expect(await found('property-hidden=h', MEMBER)).toEqual([0, 0])
    expect(await found('property-hidden=h', BOSS)).toEqual([1, 1])
    expect(await found('property-fixed=f', MEMBER)).toEqual([1, 1])
    expect(await found('property-fixed=f&property-hidden=h', MEMBER)).toEqual([0, 0])
  })

  it('are left out of long lists, a turn at a time', async () => {
    const server = await guarded()
    const names = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`n_${at}`, 'x']))
    for (let count = 0; count < 6; count++) {
      await server.call('POST', '/v1/images', { ...BOSS, ...properties({ ...names, hidden: 'h' }) })
    }
    const { images } = (await server.call('GET', '/v1/images/detail', MEMBER)).json
    expect(images.map((image) => Object.keys(image.properties).length)).toEqual(Array(6).fill(60))
  })
})

describe('protected properties on PUT', () => {
  const put = (server: TestServer, id: string, values: Record<string, string>, own: Record<string, string> = KEEP) =>
    server.call('PUT', `/v1/images/${id}`, { ...MEMBER, ...own, ...properties(values) })

  it.each<[what: string, values: Record<string, string>, refusedName: string]>([
    ['changed, where that is not allowed', { fixed: 'x' }, 'fixed'],
    ['emptied, where a change is not allowed', { fixed: '' }, 'fixed'],
    ['changed unseen', { hidden: 'x' }, 'hidden'],
    ['written unseen, even with the value they have', { hidden: 'h' }, 'hidden'],
    ['created, where that is not allowed', { fixed_2: 'x' }, 'fixed_2'],
    ['created where no section says anything', { other: 'x' }, 'other'],
  ])('may not be %s', async (_what, values, name) => {
    const server = await guarded()
    const id = await prepared(server)
    const before = server.notices.length
    expect((await put(server, id, { open: 'changed', ...values })).text).toBe(refused(name))
    expect(await stored(server, id)).toEqual(ALL)
    expect(server.notices.length).toBe(before)
  })

  it('may be written with the value they have', async () => {
    const server = await guarded()
    const id = await prepared(server)
    const answer = await put(server, id, { fixed: 'f', new_: 'n', open: 'changed', new_2: 'y' })
    expect([answer.status, answer.json.image.properties]).toEqual([200, { ...VISIBLE, open: 'changed', new_2: 'y' }])
    expect(await stored(server, id)).toEqual({ ...ALL, open: 'changed', new_2: 'y' })
  })

  it.each([
    ['fixed', { new_: 'n', open: 'o' }],
    ['new_', { fixed: 'f', open: 'o' }],
  ])('may not be purged where that is not allowed: %s', async (name, kept) => {
    const server = await guarded()
    const id = await prepared(server)
    expect((await put(server, id, kept, {})).text).toBe(refused(name))
    expect(await stored(server, id)).toEqual(ALL)
  })

  it('survive a purge by who cannot see them, silently', async () => {
    const server = await guarded()
    const id = await prepared(server)
    const answer = await put(server, id, { fixed: 'f', new_: 'n' }, {})
    expect([answer.status, answer.json.image.properties]).toEqual([200, { fixed: 'f', new_: 'n' }])
    expect(await stored(server, id)).toEqual({ hidden: 'h', fixed: 'f', new_: 'n' })
  })

  it('are purged by who may delete them', async () => {
    const server = await guarded()
    const id = await uploaded(server, 'data', { ...BOSS, ...properties({ hidden: 'h', fixed: 'f', open: 'o' }) })
    expect((await server.call('PUT', `/v1/images/${id}`, BOSS)).json.image.properties).toEqual({})
    expect(await stored(server, id)).toEqual({})
  })

  it('count for the quota when a purge keeps them', async () => {
    const server = await guarded(PROTECTIONS, 4)
    const id = await prepared(server)
    const answer = await put(server, id, { fixed: 'f', new_: 'n', open: 'o', open_2: 'x' }, {})
    expect([answer.status, answer.text]).toEqual([413, expect.stringContaining('Attempted: 5, Maximum: 4')])
    expect(await stored(server, id)).toEqual(ALL)
  })

  it('are refused before who may not change the image at all is', async () => {
    const server = await guarded()
    const id = await uploaded(server, 'data', { ...BOSS, ...properties(ALL), 'x-image-meta-is_public': 'True' })
    const stranger = { ...identity('p2', 'member'), ...KEEP }
    const both = await server.call('PUT', `/v1/images/${id}`, { ...stranger, ...properties({ fixed: 'x' }) })
    expect(both.text).toBe(refused('fixed'))
    const allowed = await server.call('PUT', `/v1/images/${id}`, { ...stranger, ...properties({ open: 'x' }) })
    expect([allowed.status, allowed.text]).toEqual([403, expect.stringContaining('Forbidden to update image')])
    expect(await stored(server, id)).toEqual(ALL)
  })
})

describe('protections by policies over HTTP', () => {
  it('follow the policy, also when it changes', async () => {
    let rules = parsePolicy('policy', '{"default": "@", "keepers": "role:boss"}')
    const policy = rulePolicy(() => rules, 'admin')
    const text = '[.*]\ncreate = @\nread = keepers\nupdate = @\ndelete = nowhere\n'
    const protections = readProtections(text, 'policies', (rule, who) => policy.allows(rule, who))
    const server = await startServer({ settings: { auth: 'trusted' }, ports: { policy, protections } })
    const id = await uploaded(server, 'data', { ...MEMBER, ...properties({ a: 'x' }) })
    expect(shown(await server.call('HEAD', `/v1/images/${id}`, MEMBER))).toEqual({})
    expect(shown(await server.call('HEAD', `/v1/images/${id}`, BOSS))).toEqual({ a: 'x' })
    rules = parsePolicy('policy', '{"default": "!", "get_image": "@", "modify_image": "@", "keepers": "role:member"}')
    expect(shown(await server.call('HEAD', `/v1/images/${id}`, MEMBER))).toEqual({ a: 'x' })
    expect((await server.call('PUT', `/v1/images/${id}`, MEMBER)).text).toBe(refused('a'))
  })
})
