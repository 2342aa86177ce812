import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createLog } from '../../../src/server/log.ts'
import { startServer } from '../../v1/server.ts'
import { asking, bearing, confirm, keystoneDouble } from './double.ts'

describe('a request and its token', () => {
  it('leaves nothing of any token in the log, valid or not', async () => {
    const keystone = await keystoneDouble((subject, response) => {
      if (subject.startsWith('valid')) confirm(response)
      else response.writeHead(subject.startsWith('trouble') ? 503 : 404).end(subject)
    })
    const { auth } = asking(keystone.url)
    let log = ''
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        log += chunk.toString()
        done()
      },
    })
    const server = await startServer({ settings: { auth, logger: createLog('trace', stream) } })
    for (const token of ['valid-s3cr3t', 'wrong-s3cr3t', 'trouble-s3cr3t']) {
      const headers = { 'x-auth-token': token, 'x-service-token': `${token}-service` }
      const { octets } = await server.call('GET', '/v1/images', headers)
      expect(octets).not.toContain('s3cr3t')
    }
    expect(log).toContain('/v1/images')
    expect(log).toContain('keystone: answered 503')
    expect(log).not.toMatch(/s3cr3t|secret-of-the-server|service-\d/)
  })

  it('is answered 503 with Retry-After while Keystone is down, and 401 with a challenge without a token', async () => {
    const keystone = await keystoneDouble((_subject, response) => response.writeHead(503).end())
    const { auth } = asking(keystone.url, { publicUrl: 'https://keystone.example/v3' })
    const server = await startServer({ settings: { auth } })
    const down = await server.call('GET', '/v1/images', { 'x-auth-token': 'some-token' })
    expect([down.status, down.headers['retry-after'], down.text]).toEqual([
      503,
      '1',
      expect.stringContaining('The Keystone service is temporarily unavailable.'),
    ])
    const none = await server.call('GET', '/v1/images')
    expect([none.status, none.headers['www-authenticate']]).toEqual([401, `Keystone uri='https://keystone.example/v3'`])
    expect(none.headers).not.toHaveProperty('x-openstack-request-id')
  })

  it('is nobody, where strangers may read, unless Keystone cannot say', async () => {
    let status = 404
    const keystone = await keystoneDouble((_subject, response) => response.writeHead(status).end())
    const { auth } = asking(keystone.url)
    const server = await startServer({ settings: { auth, allowAnonymousAccess: true } })
    expect((await server.call('GET', '/v1/images', { 'x-auth-token': 'wrong' })).status).toBe(200)
    expect((await server.call('POST', '/v1/images', { 'x-auth-token': 'wrong' })).status).toBe(403)
    status = 503
    expect((await server.call('GET', '/v1/images', { 'x-auth-token': 'other' })).status).toBe(503)
    expect((await server.call('GET', '/v1/images')).status).toBe(200)
  })

  it('may have expired only if a service vouches for it, and a made-up service token does nothing', async () => {
    const keystone = await keystoneDouble((subject, response, request) => {
      const isExpired = subject === 'expired' && !request.url?.includes('allow_expired=1')
      if (isExpired || subject === 'made-up') return response.writeHead(404).end()
      return confirm(response, { roles: [{ name: subject }] })
    })
    const { auth } = asking(keystone.url)
    const by = async (service?: string) =>
      (await auth.identify(bearing('expired', { ...(service !== undefined && { 'x-service-token': service }) })))?.roles
    expect(await by()).toBeUndefined()
    expect(await by('member')).toBeUndefined()
    expect(await by('made-up')).toBeUndefined()
    expect(await by('service')).toEqual(['expired'])
    expect(await by()).toBeUndefined()
    // and the roles of the service are not the user's
    expect(await auth.identify(bearing('member', { 'x-service-token': 'service' }))).toMatchObject({
      roles: ['member'],
    })
  })

  it('keeps to the access rules of its application credential, whatever service token is made up', async () => {
    const access_rules = [{ method: 'GET', path: '/v1/images', service: 'image' }]
    const keystone = await keystoneDouble((subject, response) => {
      if (subject === 'made-up') return response.writeHead(404).end()
      const roles = [{ name: subject }]
      const catalog = subject === 'no-catalog' ? [] : [{ type: 'image' }]
      if (subject === 'service') return confirm(response, { roles })
      return confirm(response, { roles, catalog, application_credential: { access_rules } })
    })
    const { auth } = asking(keystone.url)
    const server = await startServer({ settings: { auth } })
    const status = async (method: string, path: string, token: string, service?: string): Promise<number> =>
      (await server.call(method, path, { 'x-auth-token': token, 'x-service-token': service })).status
    expect(await status('GET', '/v1/images', 'limited')).toBe(200)
    expect(await status('GET', '/v1.0/images?limit=3', 'limited')).toBe(200)
    expect(await status('GET', '/v1/images/detail', 'limited')).toBe(401)
    expect(await status('POST', '/v1/images', 'limited')).toBe(401)
    expect(await status('POST', '/v1/images', 'limited', 'made-up')).toBe(401)
    expect(await status('POST', '/v1/images', 'limited', 'member')).toBe(401)
    expect(await status('POST', '/v1/images', 'limited', 'service')).toBe(201)
    expect(await status('GET', '/v1/images', 'no-catalog')).toBe(401)
  })
})
