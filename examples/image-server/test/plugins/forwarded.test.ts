import { describe, expect, it } from 'vitest'
import { addressList, forwardedBy } from '../../src/plugins/forwarded.ts'
import type { DataSent } from '../../src/v1/context.ts'
import { front } from '../pipeline/support.ts'
import { startServer, uploaded } from '../v1/server.ts'

const proxies = addressList(['10.0.0.0/8', '127.0.0.1', 'fd00::/8'])
const read = (headers: Record<string, string>) => forwardedBy(headers, proxies)
const steps = ['http_proxy_to_wsgi', 'versionnegotiation'] as const

describe('what proxies say of a request (RFC 7239)', () => {
  it.each([
    ['for=192.0.2.60;proto=https;host=images.example', ['192.0.2.60', 'https', 'images.example']],
    ['For="[2001:db8::17]:4711" ; Proto=HTTPS', ['2001:db8::17', 'https', undefined]],
    ['for=192.0.2.60:8080;host="images.example:9292"', ['192.0.2.60', undefined, 'images.example:9292']],
    ['for=unknown;proto=http', [undefined, 'http', undefined]],
    ['for=_hidden, for="_a,b;c\\""', [undefined, undefined, undefined]],
    ['proto=gopher;host=evil/path;for=1.2.3', [undefined, undefined, undefined]],
    ['host="a b";proto=https', [undefined, 'https', undefined]],
  ])('Forwarded: %s', (forwarded, expected) => {
    const { address, protocol, host } = read({ forwarded })
    expect([address, protocol, host]).toEqual(expected)
  })

  it('is what trusted ones wrote, whatever the client had sent before', () => {
    const spoofed = 'for=1.1.1.1;proto=http;host=evil.example'
    expect(read({ forwarded: `${spoofed}, for=192.0.2.60;proto=https;host=images.example` })).toMatchObject({
      address: '192.0.2.60',
      host: 'images.example',
    })
    const inner = 'for=10.0.0.7;proto=http;host=inner'
    expect(read({ forwarded: `${spoofed}, for=192.0.2.60;proto=https;host=images.example, ${inner}` })).toMatchObject({
      address: '192.0.2.60',
      protocol: 'https',
      host: 'images.example',
    })
  })

  it('comes from X-Forwarded-* where there is no Forwarded, with one entry or one for each proxy', () => {
    const one = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'images.example' }
    expect(read({ ...one, 'x-forwarded-for': '1.1.1.1, 192.0.2.60, 10.0.0.7' })).toMatchObject({
      address: '192.0.2.60',
      protocol: 'https',
      host: 'images.example',
    })
    const each = { 'x-forwarded-for': '192.0.2.60, 10.0.0.7', 'x-forwarded-proto': 'gopher, https, http' }
    expect(read(each)).toMatchObject({ address: '192.0.2.60', protocol: 'https' })
    const mapped = { 'x-forwarded-for': '192.0.2.60, ::ffff:10.0.0.7, fd00::1%eth0' }
    expect(read(mapped)).toMatchObject({ address: '192.0.2.60' })
    expect(read({ forwarded: 'for=192.0.2.60', ...one })).toMatchObject({ protocol: undefined, host: undefined })
  })

  it('has a prefix that is a path, or none', () => {
    const prefix = (text: string): string => read({ 'x-forwarded-prefix': text }).prefix
    expect(['/image', '/a/b/', '/', '', 'image', '//evil.example', '/a?b', '/a\\b'].map(prefix)).toEqual([
      '/image',
      '/a/b',
      '',
      '',
      '',
      '',
      '',
      '',
    ])
  })

  it('comes from addresses and networks only', () => {
    for (const wrong of ['proxy', '10.0.0.0/x', '10.0.0.0/33', '10.0.0', '']) {
      expect(() => addressList([wrong])).toThrow()
    }
  })
})

describe('a server behind a proxy', () => {
  const headers = {
    'x-forwarded-for': '192.0.2.60',
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'images.example',
    'x-forwarded-prefix': '/image/',
  }

  it('names itself as clients see it', async () => {
    const sent: DataSent[] = []
    const ports = { dataSent: (event: DataSent) => void sent.push(event) }
    const server = await startServer({ settings: front(steps, { trustedProxies: ['127.0.0.0/8'] }), ports })
    const versions = await server.call('GET', '/versions', headers)
    expect(versions.json.versions[0]?.links).toEqual([{ rel: 'self', href: 'https://images.example/image/v1/' }])
    const created = await server.call('POST', '/v1/images', headers)
    expect(created.headers['location']).toMatch(/^https:\/\/images\.example\/image\/v1\/images\//)
    const root = await server.call('GET', '/v1', headers)
    expect(root.headers['location']).toBe('https://images.example/image/v1/')
    const id = await uploaded(server, 'data')
    await server.call('GET', `/v1/images/${id}`, headers)
    expect(sent.map(({ destinationIp }) => destinationIp)).toEqual(['192.0.2.60'])
  })

  it.each([
    ['the step is missing', front(['versionnegotiation'], { trustedProxies: ['127.0.0.1'] })],
    ['no proxy is trusted', front(steps)],
    ['another proxy is trusted', front(steps, { trustedProxies: ['10.0.0.0/8', '::1'] })],
  ])('believes nobody where %s', async (_why, settings) => {
    const server = await startServer({ settings })
    const { json } = await server.call('GET', '/versions', { ...headers, forwarded: 'for=1.1.1.1;host=evil.example' })
    expect(json.versions[0]?.links).toEqual([{ rel: 'self', href: 'http://images.test/v1/' }])
  })
})
