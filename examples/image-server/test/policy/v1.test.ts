import { describe, expect, it } from 'vitest'
import { parsePolicy } from '../../src/policy/policy-file.ts'
import { rulePolicy } from '../../src/policy/policy.ts'
import { type Answer, identity, md5, RAW, reserved, startServer, type TestServer, uploaded } from '../v1/server.ts'

const DENIED = '403 Forbidden\n\nAccess was denied to this resource.\n\n   '
const FORMATS = { 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare' }
const OWNER = identity('p1', 'member')
const ADMIN = identity('ops', 'admin')

interface Ruled extends TestServer {
  /** Replaces the policy by these rules; everybody may do what they do not mention. */
  rule(rules: Record<string, string>): void
}

async function ruled(): Promise<Ruled> {
  let rules = parsePolicy('policy', '{"default": "@"}')
  const policy = rulePolicy(() => rules, 'admin')
  const server = await startServer({ settings: { auth: 'trusted', adminRule: policy }, ports: { policy } })
  return {
    ...server,
    rule: (texts) => void (rules = parsePolicy('policy', JSON.stringify({ default: '@', ...texts }))),
  }
}

/** A request by the owner of an active and a queued image, shared with p2. */
type Attempt = readonly [rule: string, method: string, path: string, headers?: Record<string, string>, body?: string]

const URL = 'http://images.example/x'

const ATTEMPTS: readonly Attempt[] = [
  ['get_images', 'GET', '/v1/images'],
  ['get_images', 'GET', '/v1/images/detail'],
  ['get_image', 'GET', '/v1/images/ACTIVE'],
  ['get_image', 'HEAD', '/v1/images/ACTIVE'],
  ['download_image', 'GET', '/v1/images/ACTIVE'],
  ['download_image', 'GET', '/v1/images/QUEUED'],
  ['download_image', 'GET', '/v1/images/00000000-0000-4000-8000-000000000000'],
  ['add_image', 'POST', '/v1/images'],
  ['modify_image', 'PUT', '/v1/images/ACTIVE', { 'x-image-meta-name': 'other' }],
  ['modify_image', 'PUT', '/v1/images/00000000-0000-4000-8000-000000000000'],
  ['publicize_image', 'POST', '/v1/images', { 'x-image-meta-is_public': 'True' }],
  ['publicize_image', 'PUT', '/v1/images/ACTIVE', { 'x-image-meta-is_public': 'True' }],
  ['copy_from', 'POST', '/v1/images', { ...FORMATS, 'x-glance-api-copy-from': URL }],
  ['copy_from', 'PUT', '/v1/images/QUEUED', { 'x-glance-api-copy-from': URL }],
  ['upload_image', 'POST', '/v1/images', RAW, 'data'],
  ['upload_image', 'PUT', '/v1/images/QUEUED', RAW, 'data'],
  ['upload_image', 'POST', '/v1/images', { ...FORMATS, 'x-glance-api-copy-from': URL }],
  ['set_image_location', 'POST', '/v1/images', { ...FORMATS, 'x-image-meta-location': URL }],
  ['set_image_location', 'PUT', '/v1/images/QUEUED', { 'x-image-meta-location': URL }],
  ['delete_image', 'DELETE', '/v1/images/ACTIVE'],
  ['get_members', 'GET', '/v1/images/ACTIVE/members'],
  ['modify_member', 'PUT', '/v1/images/ACTIVE/members/p3'],
  ['modify_member', 'PUT', '/v1/images/ACTIVE/members', {}, '{"memberships": []}'],
  ['delete_member', 'DELETE', '/v1/images/ACTIVE/members/p2'],
]

describe('the policy of each action (Images v1 §3.1)', () => {
  const titled = ATTEMPTS.map((attempt) => [`${attempt[0]} ${attempt[1]} ${attempt[2]}`, attempt] as const)
  it.each(titled)('refuses, and nothing happened: %s', async (_title, attempt) => {
    const [rule, method, path, headers = {}, body] = attempt
    const server = await ruled()
    const active = await uploaded(server, 'data', OWNER)
    const queued = await reserved(server, { ...OWNER, ...FORMATS })
    expect((await server.call('PUT', `/v1/images/${active}/members/p2`, OWNER)).status).toBe(204)
    const before = await everything(server, [active, queued])
    server.rule({ [rule]: '!' })
    const at = path.replace('ACTIVE', active).replace('QUEUED', queued)
    const answer = await server.call(method, at, { ...OWNER, ...headers }, body)
    expect([answer.status, answer.text]).toEqual([403, method === 'HEAD' ? '' : DENIED])
    expect(await everything(server, [active, queued])).toEqual(before)
    server.rule({})
    expect((await server.call('GET', `/v1/images/${active}`, OWNER)).text).toBe('data')
  })
})

async function everything({ ports, notices }: TestServer, ids: readonly string[]): Promise<unknown> {
  const filters = {}
  const scope = { kind: 'all' } as const
  const listed = await ports.images.list({
    scope,
    filters,
    includeDeleted: true,
    sortKey: 'id',
    sortDirection: 'asc',
    limit: 10,
  })
  const members = await Promise.all(ids.map((id) => ports.members.list(id)))
  return { listed, members, notices: notices.length }
}

describe('the rules of a policy over HTTP', () => {
  it('S-45: only administrators make an image public', async () => {
    const server = await ruled()
    server.rule({ publicize_image: 'role:admin' })
    const id = await reserved(server, OWNER)
    for (const headers of [{ 'x-image-meta-is_public': 'True' }, { 'x-image-meta-is-public': '1' }]) {
      expect((await server.call('PUT', `/v1/images/${id}`, { ...OWNER, ...headers })).text).toBe(DENIED)
      expect((await server.call('POST', '/v1/images', { ...OWNER, ...headers })).text).toBe(DENIED)
    }
    expect(await server.image(id)).toMatchObject({ visibility: 'private' })
    expect((await server.call('PUT', `/v1/images/${id}`, { ...ADMIN, 'x-image-meta-is_public': 'True' })).status).toBe(
      200,
    )
    expect(await server.image(id)).toMatchObject({ visibility: 'public' })
    const stillPublic = { ...OWNER, 'x-image-meta-is_public': 'True', 'x-image-meta-name': 'n' }
    expect((await server.call('PUT', `/v1/images/${id}`, stillPublic)).text).toBe(DENIED)
  })

  it('S-05: hold for data that somebody else was sent before', async () => {
    const server = await ruled()
    const id = await uploaded(server, 'data', OWNER)
    server.rule({ download_image: "role:admin or 'yes':%(free)s" })
    expect((await server.call('GET', `/v1/images/${id}`, ADMIN)).text).toBe('data')
    expect((await server.call('GET', `/v1/images/${id}`, OWNER)).text).toBe(DENIED)
    const free = { ...OWNER, 'x-image-meta-property-free': 'yes', 'x-glance-registry-purge-props': 'false' }
    expect((await server.call('PUT', `/v1/images/${id}`, free)).status).toBe(200)
    expect((await server.call('GET', `/v1/images/${id}`, OWNER)).text).toBe('data')
  })

  it('S-16: are not got round by headers that claim a state', async () => {
    const server = await ruled()
    server.rule({ upload_image: 'role:admin', set_image_location: 'role:admin', publicize_image: 'role:admin' })
    const claimed = { 'x-image-meta-status': 'active', 'x-image-meta-owner': 'p2', 'x-image-meta-checksum': md5('x') }
    const id = await reserved(server, { ...OWNER, ...claimed, 'x-image-meta-size': '4' })
    expect(await server.image(id)).toMatchObject({ status: 'queued', owner: 'p1', visibility: 'private' })
    const answers = await Promise.all(
      [
        { 'x-image-meta-status': 'active' },
        { 'x-image-meta-location': '' },
        { 'x-image-meta-is_public': 'yes', 'x-image-meta-status': 'queued' },
      ].map((headers) => server.call('PUT', `/v1/images/${id}`, { ...OWNER, ...headers })),
    )
    expect(answers.map(({ status }: Answer) => status)).toEqual([403, 403, 403])
    expect(await server.image(id)).toMatchObject({
      status: 'queued',
      owner: 'p1',
      visibility: 'private',
      locations: [],
    })
  })

  it('make an administrator of whom context_is_admin lets pass', async () => {
    const server = await ruled()
    const id = await reserved(server, OWNER)
    const cloud = identity('ops', 'cloud')
    expect((await server.call('HEAD', `/v1/images/${id}`, cloud)).status).toBe(404)
    server.rule({ context_is_admin: 'role:cloud and project_id:ops' })
    expect((await server.call('HEAD', `/v1/images/${id}`, cloud)).status).toBe(200)
    expect((await server.call('HEAD', `/v1/images/${id}`, identity('p2', 'cloud'))).status).toBe(404)
  })
})
