import type { KeystoneCredentials } from '@mullion/swift'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { faultProxy } from '../../../../../test/services/fault-proxy.mjs'
import { describeWithService } from '../../../../../test/services/require.ts'
import { keystone, type KeystoneSettings } from '../../../src/auth/keystone/keystone.ts'
import { identity, startServer, type TestServer } from '../../v1/server.ts'
import { type Made, type RealKeystone, realKeystone } from './real.ts'

const ENV = [
  'KEYSTONE_AUTH_URL',
  'KEYSTONE_ADMIN_USER',
  'KEYSTONE_ADMIN_PASSWORD',
  'KEYSTONE_ADMIN_PROJECT',
  'KEYSTONE_USER',
  'KEYSTONE_PASSWORD',
  'KEYSTONE_PROJECT',
  'KEYSTONE_PROJECT_ID',
] as const

describeWithService(ENV, 'keystone.sh', 'an image server with Keystone', (env) => {
  const inProject = (name: string): object => ({ project: { name, domain: { id: 'default' } } })
  const admin = {
    name: env.KEYSTONE_ADMIN_USER,
    password: env.KEYSTONE_ADMIN_PASSWORD,
    scope: inProject(env.KEYSTONE_ADMIN_PROJECT),
  }
  const demo = { name: env.KEYSTONE_USER, password: env.KEYSTONE_PASSWORD, scope: inProject(env.KEYSTONE_PROJECT) }
  const own: KeystoneCredentials = {
    kind: 'password',
    user: { name: admin.name, domain: { id: 'default' } },
    password: admin.password,
    project: { name: env.KEYSTONE_ADMIN_PROJECT, domain: { id: 'default' } },
  }
  let real: RealKeystone
  let member: Made
  beforeAll(async () => {
    real = await realKeystone(env.KEYSTONE_AUTH_URL, admin)
    member = await real.makeUser('member')
  })
  afterAll(() => real.remove())

  async function serving(over: Partial<KeystoneSettings> = {}, settings: object = {}): Promise<TestServer> {
    const auth = keystone({
      url: env.KEYSTONE_AUTH_URL,
      credentials: own,
      timeoutMs: 20_000,
      cacheMs: 60_000,
      cacheSize: 100,
      serviceType: 'image',
      serviceRoles: ['service'],
      adminRole: 'admin',
      ...over,
    })
    return startServer({ settings: { auth, ...settings } })
  }
  const list = async (server: TestServer, token: string | undefined): Promise<number> =>
    (await server.call('GET', '/v1/images', { 'x-auth-token': token })).status

  it('lets a user in with a token, who owns what is created', async () => {
    const server = await serving()
    const token = await real.login(demo)
    const created = await server.call('POST', '/v1/images', { 'x-auth-token': token })
    expect([created.status, created.json.image.owner]).toEqual([201, env.KEYSTONE_PROJECT_ID])
    const stored = await server.call('GET', '/v1/images', { 'x-storage-token': token })
    expect(stored.status).toBe(200)
  })

  it('answers 401 with a challenge to who has none, a wrong one, or one and a half', async () => {
    const server = await serving()
    const token = await real.login(demo)
    for (const wrong of [undefined, 'gAAAAABmadeup', token.slice(0, -4), `${token}x`]) {
      const answer = await server.call('GET', '/v1/images', { 'x-auth-token': wrong })
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([
        401,
        `Keystone uri='${env.KEYSTONE_AUTH_URL}'`,
      ])
      expect(answer.octets).not.toContain(token)
    }
  })

  it('lets those who have none read where that is allowed', async () => {
    const server = await serving({}, { allowAnonymousAccess: true })
    expect([await list(server, undefined), await list(server, 'gAAAAABmadeup')]).toEqual([200, 200])
    expect((await server.call('POST', '/v1/images')).status).toBe(403)
  })

  it('knows an administrator by the role', async () => {
    const server = await serving()
    const owned = { 'x-image-meta-owner': 'somebody' }
    const byAdmin = await server.call('POST', '/v1/images', { ...owned, 'x-auth-token': await real.login(admin) })
    expect(byAdmin.json.image.owner).toBe('somebody')
    const byDemo = await server.call('POST', '/v1/images', { ...owned, 'x-auth-token': await real.login(demo) })
    expect(byDemo.json.image.owner).toBe(env.KEYSTONE_PROJECT_ID)
  })

  it('§4.11: identity headers beside a token, or in its place, are not heard', async () => {
    const server = await serving()
    const token = await real.login(demo)
    expect((await server.call('GET', '/v1/images', identity('victim', 'admin'))).status).toBe(401)
    const spoofed = {
      ...identity('victim', 'admin'),
      'x-tenant-id': 'victim',
      X_Roles: 'admin',
      X_Project_Id: 'victim',
      X_Identity_Status: 'Confirmed',
      'x-service-roles': 'service',
      'x-image-meta-owner': 'victim',
    }
    const created = await server.call('POST', '/v1/images', { ...spoofed, 'x-auth-token': token })
    expect(created.json.image.owner).toBe(env.KEYSTONE_PROJECT_ID)
    const twice: [string, string][] = [
      ['X-Auth-Token', token],
      ['X-Auth-Token', token],
    ]
    expect((await server.call('GET', '/v1/images', twice)).status).toBe(401)
  })

  it('lets nobody create images whose token names no project, and gives the roles of a domain no meaning', async () => {
    const server = await serving()
    const { user, role } = await domainAdmin(real)
    const domain = await real.login({ ...user, scope: { domain: { id: 'default' } } })
    const created = await server.call('POST', '/v1/images', {
      'x-auth-token': domain,
      'x-image-meta-owner': 'somebody',
    })
    const refused = [403, expect.stringContaining('No authenticated owner')]
    expect([created.status, created.text]).toEqual(refused)
    const { name, password } = member
    const unscoped = await server.call('POST', '/v1/images', { 'x-auth-token': await real.login({ name, password }) })
    expect([unscoped.status, unscoped.text]).toEqual(refused)
    expect((await server.call('GET', '/v1/images', { 'x-auth-token': domain })).status).toBe(200)
    await role('DELETE')
  })

  it('notices that a token was revoked, at the latest when it believed in it for long enough', async () => {
    const token = await real.login(demo)
    const believing = await serving()
    const asking = await serving({ cacheMs: 0 })
    expect([await list(believing, token), await list(asking, token)]).toEqual([200, 200])
    await real.revoke(token)
    expect(await list(asking, token)).toBe(401)
    expect(await list(believing, token)).toBe(200)
  })

  it('notices that roles have changed', async () => {
    const user = await real.makeUser('member')
    const server = await serving({ cacheMs: 0 })
    const before = await real.login(user)
    const owner = async (token: string): Promise<unknown> =>
      (await server.call('POST', '/v1/images', { 'x-auth-token': token, 'x-image-meta-owner': 'o' })).json.image.owner
    expect(await owner(before)).toBe(user.projectId)
    await user.role('PUT', 'admin')
    expect(await owner(await real.login(user))).toBe('o')
    await user.role('DELETE', 'admin')
    await user.role('DELETE', 'member')
    expect(await list(server, before)).toBe(401)
  })

  it('takes an application credential, with the rights of its user', async () => {
    const server = await serving()
    const credential = await real.makeCredential(member)
    const created = await server.call('POST', '/v1/images', { 'x-auth-token': await real.loginBy(credential) })
    expect([created.status, created.json.image.owner]).toEqual([201, member.projectId])
  })

  it('validates tokens with an application credential of its own', async () => {
    const service = await real.makeUser('admin')
    const credential = await real.makeCredential(service)
    const server = await serving({ credentials: { kind: 'applicationCredential', ...credential } })
    expect([await list(server, await real.login(demo)), await list(server, 'made-up')]).toEqual([200, 401])
  })

  it('is unavailable, and refuses nobody, while its own user may not validate tokens or has another password', async () => {
    const { name, password, projectId } = member
    const user = { name, domain: { id: 'default' } }
    const forbidden = { kind: 'password', user, password, project: { id: projectId } } as const
    const token = await real.login(demo)
    for (const credentials of [forbidden, { ...forbidden, password: 'wrong' }]) {
      const server = await serving({ credentials })
      const answer = await server.call('GET', '/v1/images', { 'x-auth-token': token })
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, expect.stringMatching(/^\d+$/)])
    }
  })

  it('asks once about one token, and a crowd at once does not hurt', async () => {
    const proxy = await faultProxy({ target: Number(new URL(env.KEYSTONE_AUTH_URL).port) })
    onTestFinished(() => proxy.close())
    const server = await serving({ url: `http://127.0.0.1:${proxy.port}/v3` })
    const token = await real.login(demo)
    const statuses = await Promise.all(Array.from({ length: 100 }, () => list(server, token)))
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(proxy.stats.connections).toBe(2)
  })

  it('is unavailable while Keystone is stopped, does not besiege it, and goes on when it is back', async () => {
    const proxy = await faultProxy({ target: Number(new URL(env.KEYSTONE_AUTH_URL).port) })
    onTestFinished(() => proxy.close())
    const server = await serving({ url: `http://127.0.0.1:${proxy.port}/v3`, cacheMs: 0 })
    const token = await real.login(demo)
    expect(await list(server, token)).toBe(200)
    proxy.set({ refuse: true })
    const before = proxy.stats.connections
    for (let time = 0; time < 30; time++) expect(await list(server, token)).toBe(503)
    expect(proxy.stats.connections - before).toBeLessThan(10)
    proxy.set({})
    await expect.poll(() => list(server, token), { timeout: 40_000, interval: 250 }).toBe(200)
  })

  it('§4.11: lets a token that is no service’s vouch for nothing, valid or not', async () => {
    const server = await serving()
    const [user, other] = [await real.login(demo), await real.login(member)]
    for (const service of [other, 'made-up']) {
      const headers = { 'x-auth-token': user, 'x-service-token': service }
      expect((await server.call('GET', '/v1/images', headers)).status).toBe(200)
      expect((await server.call('GET', '/v1/images', { ...headers, 'x-auth-token': 'made-up' })).status).toBe(401)
    }
  })
})

/** A user who is an administrator of the domain, and of no project. */
async function domainAdmin(real: RealKeystone) {
  const user = await real.makeUser()
  const { roles } = await real.ask('GET', '/roles?name=admin')
  const role = (method: string): Promise<unknown> =>
    real.ask(method, `/domains/default/users/${user.id}/roles/${roles[0].id}`)
  await role('PUT')
  return { user, role }
}
