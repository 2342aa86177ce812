import { describe, expect, it } from 'vitest'
import { front } from '../pipeline/support.ts'
import { startServer } from '../v1/server.ts'

const steps = ['cors', 'healthcheck', 'versionnegotiation'] as const
const ORIGIN = 'https://horizon.example'
const PREFLIGHT = {
  origin: ORIGIN,
  'access-control-request-method': 'PUT',
  'access-control-request-headers': 'x-auth-token',
}
const withOrigins = (...allowedOrigins: string[]) => {
  const settings = front(steps)
  return front(steps, { cors: { ...settings.front.cors, allowedOrigins } })
}

describe('cors (Images v1 §1.4)', () => {
  it('answers a preflight before anybody is asked who they are', async () => {
    const server = await startServer({ settings: { auth: 'trusted', ...withOrigins(ORIGIN) } })
    const { status, headers, text } = await server.call('OPTIONS', '/v1/images/some-id', PREFLIGHT)
    expect([status, text]).toEqual([200, ''])
    expect(headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': expect.stringMatching(/Content-Type.*X-Auth-Token/),
      'access-control-max-age': '3600',
      vary: 'Origin',
    })
  })

  it('marks answers, refusals included', async () => {
    const server = await startServer({ settings: { auth: 'trusted', ...withOrigins(ORIGIN) } })
    for (const path of ['/v1/images', '/versions', '/healthcheck']) {
      const { headers } = await server.call('GET', path, { origin: ORIGIN })
      expect(headers).toMatchObject({
        'access-control-allow-origin': ORIGIN,
        'access-control-expose-headers': 'X-Image-Meta-Checksum',
      })
    }
  })

  it('gives other origins, and who is no page, nothing', async () => {
    const server = await startServer({ settings: { auth: 'trusted', ...withOrigins(ORIGIN) } })
    for (const origin of ['https://evil.example', `${ORIGIN}.evil.example`, 'null', undefined]) {
      const { headers } = await server.call('GET', '/versions', { origin })
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([])
      const preflight = await server.call('OPTIONS', '/v1/images', { ...PREFLIGHT, origin })
      expect([preflight.status, preflight.headers['access-control-allow-methods']]).toEqual([401, undefined])
    }
  })

  it('gives everybody everything where * is allowed', async () => {
    const server = await startServer({ settings: withOrigins('*') })
    const { headers } = await server.call('OPTIONS', '/v1/images', PREFLIGHT)
    expect(headers['access-control-allow-origin']).toBe('*')
    expect(headers).not.toHaveProperty('access-control-allow-credentials')
  })

  it('leaves OPTIONS what it is without an origin: no method of the API', async () => {
    for (const settings of [withOrigins(), withOrigins(ORIGIN)]) {
      const server = await startServer({ settings })
      const answer = await server.call('OPTIONS', '/v1/images')
      expect([answer.status, answer.headers['allow']]).toEqual([405, 'GET, POST'])
      expect((await server.call('OPTIONS', '/v1/nothing')).status).toBe(501)
      expect((await server.call('OPTIONS', '/elsewhere')).status).toBe(300)
    }
  })
})
