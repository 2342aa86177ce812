import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { staticTokens } from '../../src/auth/tokens.ts'
import { identity, RAW, startServer } from '../v1/server.ts'

const sha256 = (token: string): string => createHash('sha256').update(token).digest('hex')
const auth = staticTokens([
  { sha256: sha256('token-of-ci'), user: 'ci', tenant: 'demo', roles: ['member'] },
  { sha256: sha256('token-of-root'), user: 'root', tenant: undefined, roles: ['Admin'] },
])

describe('static bearer tokens', () => {
  it.each([
    ['Authorization', 'Bearer token-of-ci'],
    ['authorization', 'bearer   token-of-ci'],
    ['X-Auth-Token', 'token-of-ci'],
    ['X-Storage-Token', 'token-of-ci'],
  ])('say who sends them in %s: %s', async (name, value) => {
    const server = await startServer({ settings: { auth } })
    const created = await server.call('POST', '/v1/images', { ...RAW, [name]: value }, 'data')
    expect([created.status, created.json.image.owner]).toEqual([201, 'demo'])
  })

  it('of somebody without a tenant take no data, where a storage quota would not count it', async () => {
    const known = staticTokens([{ sha256: sha256('token-of-nobody'), user: 'x', tenant: undefined, roles: ['member'] }])
    const server = await startServer({ settings: { auth: known, storageQuota: 2 } })
    const headers = { ...RAW, authorization: 'Bearer token-of-nobody' }
    const answer = await server.call('POST', '/v1/images', headers, 'data')
    const text = 'No authenticated owner: the identity names no project'
    expect([answer.status, answer.text]).toEqual([403, expect.stringContaining(text)])
    expect(server.notices).toEqual([])
  })

  it('make an administrator by their roles, in any case', async () => {
    const server = await startServer({ settings: { auth } })
    const created = await server.call('POST', '/v1/images', {
      authorization: 'Bearer token-of-root',
      'x-image-meta-owner': 'somebody',
    })
    expect(created.json.image.owner).toBe('somebody')
  })

  it.each<[string, Record<string, string>, string]>([
    ['none', {}, 'Bearer realm="images"'],
    ['an unknown one', { authorization: 'Bearer guessed' }, 'Bearer realm="images", error="invalid_token"'],
    ['its digest', { 'x-auth-token': sha256('token-of-ci') }, 'Bearer realm="images", error="invalid_token"'],
    ['a longer one', { 'x-auth-token': 'token-of-ci2' }, 'Bearer realm="images", error="invalid_token"'],
    ['another scheme', { authorization: 'Basic dG9rZW4tb2YtY2k=' }, 'Bearer realm="images"'],
    ['only identity headers', identity('demo', 'admin'), 'Bearer realm="images"'],
  ])('with %s nobody gets in: 401 with a challenge (§4.11)', async (_what, headers, challenge) => {
    const server = await startServer({ settings: { auth } })
    const answer = await server.call('GET', '/v1/images', headers)
    expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, challenge])
    expect(answer.octets).not.toContain('guessed')
  })

  it('two of them in one request are none (§4.11)', async () => {
    const server = await startServer({ settings: { auth } })
    const twice: [string, string][] = [
      ['X-Auth-Token', 'token-of-ci'],
      ['X-Auth-Token', 'token-of-root'],
    ]
    expect((await server.call('GET', '/v1/images', twice)).status).toBe(401)
  })

  it('identity headers beside a token change nothing, however they are spelled (§4.11)', async () => {
    const server = await startServer({ settings: { auth } })
    const spoofed = {
      'X-Auth-Token': 'token-of-ci',
      ...identity('victim', 'admin'),
      X_Roles: 'admin',
      X_Project_Id: 'victim',
      'X-Service-Roles': 'service',
    }
    const created = await server.call('POST', '/v1/images', { ...spoofed, 'x-image-meta-owner': 'victim' })
    expect([created.status, created.json.image.owner]).toEqual([201, 'demo'])
  })

  it('let strangers read where that is allowed', async () => {
    const server = await startServer({ settings: { auth, allowAnonymousAccess: true } })
    expect((await server.call('GET', '/v1/images')).status).toBe(200)
    expect((await server.call('POST', '/v1/images')).status).toBe(403)
  })
})
