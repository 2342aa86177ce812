import { connect } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithService } from '../../../../../test/services/require.ts'
import { keystone, type KeystoneSettings } from '../../../src/auth/keystone/keystone.ts'
import { RAW, readAnswer, request, startServer, type TestServer } from '../../v1/server.ts'
import { type PrivateKeystone, privateKeystone } from './private.ts'
import { type Made, type RealKeystone, realKeystone } from './real.ts'

const TOKEN_SECONDS = 8
const START_MS = 240_000 // an empty database is filled, on a machine that may be busy
const admin = { name: 'admin', password: 'admin', scope: { project: { name: 'admin', domain: { id: 'default' } } } }

// the variable says that Keystone can be had here; this one is private, because it is stopped and its tokens are short
describeWithService(['KEYSTONE_AUTH_URL'], 'keystone.sh', 'an image server and the end of tokens', () => {
  let own: PrivateKeystone
  let real: RealKeystone
  let user: Made
  let service: Made
  beforeAll(async () => {
    own = privateKeystone(TOKEN_SECONDS)
    await own.start()
    real = await realKeystone(own.url, admin)
    user = await real.makeUser('member')
    service = await real.makeUser('service')
    const { service: image } = await real.ask('POST', '/services', { service: { name: 'images', type: 'image' } })
    const endpoint = { service_id: image.id, interface: 'public', url: 'http://images.test' }
    await real.ask('POST', '/endpoints', { endpoint })
  }, START_MS)
  afterAll(() => own.remove(), START_MS)

  function serving(over: Partial<KeystoneSettings> = {}): Promise<TestServer> {
    const auth = keystone({
      url: own.url,
      credentials: {
        kind: 'password',
        user: { name: 'admin', domain: { id: 'default' } },
        password: 'admin',
        project: { name: 'admin', domain: { id: 'default' } },
      },
      timeoutMs: 20_000,
      cacheMs: 60_000,
      cacheSize: 100,
      serviceType: 'image',
      serviceRoles: ['service'],
      adminRole: 'admin',
      ...over,
    })
    return startServer({ settings: { auth } })
  }
  const list = async (server: TestServer, token: string, vouching?: string): Promise<number> =>
    (await server.call('GET', '/v1/images', { 'x-auth-token': token, 'x-service-token': vouching })).status
  const ended = (server: TestServer, token: string) =>
    expect.poll(() => list(server, token), { timeout: 30_000, interval: 200 }).toBe(401)

  it('refuses a token that has expired, although it was believed in for longer', async () => {
    const server = await serving({ cacheMs: 3_600_000 })
    const token = await real.login(user)
    const begin = Date.now()
    expect(await list(server, token)).toBe(200)
    await ended(server, token)
    expect(Date.now() - begin).toBeLessThan((TOKEN_SECONDS + 3) * 1000)
  })

  it('goes on validating when its own token has expired', async () => {
    const server = await serving({ cacheMs: 0 })
    const first = await real.login(user)
    expect(await list(server, first)).toBe(200)
    await ended(server, first)
    expect(await list(server, await real.login(user))).toBe(200)
  })

  it('takes an expired token that a service vouches for, and only then', async () => {
    const server = await serving()
    const token = await real.login(user)
    await ended(server, token)
    expect(await list(server, token, await real.login(user))).toBe(401)
    const vouching = await real.login(service)
    expect(await list(server, token, vouching)).toBe(200)
    expect(await list(server, token)).toBe(401)
    expect(await list(server, 'gAAAAABmadeup', vouching)).toBe(401)
    const headers = { 'x-auth-token': token, 'x-service-token': vouching }
    const created = await server.call('POST', '/v1/images', headers)
    expect([created.status, created.json.image.owner]).toEqual([201, user.projectId])
    await ended(server, vouching)
    expect(await list(server, token, vouching)).toBe(401)
  })

  it('S-17: asks at the beginning of an upload, so a token that ends meanwhile costs no upload and leaves no data behind', async () => {
    const server = await serving()
    const token = await real.login(user)
    const socket = connect(server.port, '127.0.0.1')
    socket.write(request('POST', '/v1/images', { ...RAW, 'x-auth-token': token, 'content-length': '8' }))
    socket.write('long')
    await expect.poll(() => server.notices.map(({ event }) => event)).toContain('prepare')
    await ended(server, token)
    socket.write(' one')
    const answer = await readAnswer(socket)
    expect([answer.status, answer.json.image.status, answer.json.image.size]).toEqual([201, 'active', 8])
    const again = await real.login(user)
    const got = await server.call('GET', `/v1/images/${answer.json.image.id}`, { 'x-auth-token': again })
    expect(got.text).toBe('long one')
    const late = await server.call('POST', '/v1/images', { ...RAW, 'x-auth-token': token }, 'data')
    expect(late.status).toBe(401)
    expect(server.notices.filter(({ event }) => event === 'create')).toHaveLength(1)
  })

  it('keeps to the access rules of an application credential, unless a service asks on behalf of it', async () => {
    const server = await serving({ cacheMs: 0 })
    const rules = [
      { service: 'image', method: 'GET', path: '/v1/images' },
      { service: 'image', method: 'GET', path: '/v1/images/*' },
      { service: 'compute', method: 'POST', path: '/v1/images' },
    ]
    const limited = await real.makeCredential(user, rules)
    const token = await real.loginBy(limited)
    const status = async (method: string, path: string, vouching?: string): Promise<number> =>
      (await server.call(method, path, { 'x-auth-token': token, 'x-service-token': vouching })).status
    expect(await status('GET', '/v1/images')).toBe(200)
    expect(await status('GET', '/v1/images/detail')).toBe(200)
    expect(await status('POST', '/v1/images')).toBe(401)
    expect(await status('HEAD', '/v1/images/x')).toBe(401)
    expect(await status('POST', '/v1/images', 'made-up')).toBe(401)
    expect(await status('POST', '/v1/images', await real.login(service))).toBe(201)
    const volume = await serving({ serviceType: 'volume' })
    expect(await list(volume, await real.loginBy(limited))).toBe(401)
  })

  it('waits for a Keystone that is stopped, and goes on when it is back', { timeout: START_MS }, async () => {
    const server = await serving({ cacheMs: 0 })
    expect(await list(server, await real.login(user))).toBe(200)
    await own.stop()
    const begin = Date.now()
    const down = await server.call('GET', '/v1/images', { 'x-auth-token': 'gAAAAABany' })
    expect([down.status, down.headers['retry-after']]).toEqual([503, expect.stringMatching(/^\d+$/)])
    for (let time = 0; time < 20; time++) expect(await list(server, `gAAAAABany${time}`)).toBe(503)
    expect(Date.now() - begin).toBeLessThan(10_000)
    await own.start()
    const token = await real.login(user)
    await expect.poll(() => list(server, token), { timeout: 7_000, interval: 200 }).toBe(200)
  })
})
