import { collect, isMullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { httpLocation } from '../src/location.ts'
import { redirected } from '../src/redirect.ts'
import { never, openStore, serving, someBytes, web } from './web.ts'

const bytes = someBytes(3000)

describe('redirect target', () => {
  it.each([
    ['/b?c', 'http://example.org/b?c'],
    ['b', 'http://example.org/a/b'],
    ['?c', 'http://example.org/a/x?c'],
    ['//other.example/b', 'http://other.example/b'],
    ['https://other.example:8443/b', 'https://other.example:8443/b'],
    ['HTTP://Other.Example/b', 'http://other.example/b'],
    ['/b#part', 'http://example.org/b'],
    ['http://127.0.0.1#@other.example/', 'http://127.0.0.1/'],
    [Buffer.from('/ü').toString('latin1'), 'http://example.org/%C3%BC'],
  ])('of %o is %o', (header, target) => {
    expect(redirected(new URL('http://example.org/a/x?y'), header).href).toBe(target)
  })

  it.each([
    undefined,
    '',
    '#x',
    'file:///etc/passwd',
    'ftp://example.org/',
    'gopher://example.org/',
    'data:text/plain,x',
    'javascript:x',
    'unix:/run/x.sock:/y',
    'http:b',
    'http://user:password@example.org/',
    'http://user@example.org/',
    '//user:password@example.org/',
    '//2130706433/',
    'http://0x7f.1/',
    'http://localhost./',
    'http://example.org\\@127.0.0.1/',
    '\\\\127.0.0.1/x',
    '/\\127.0.0.1/x',
    '/a b',
    '/a\tb',
    'http:///x',
    'http://example.org:0/',
  ])('is refused: %o', (header) => {
    let error: unknown
    try {
      redirected(new URL('http://example.org/a'), header)
    } catch (thrown) {
      error = thrown
    }
    expect(isMullionError(error, 'invalid_location')).toBe(true)
  })

  it('is never http from https', () => {
    expect(() => redirected(new URL('https://example.org/a'), 'http://example.org/a')).toThrow(/from https to http/)
    expect(redirected(new URL('https://example.org/a'), '//example.org/b').protocol).toBe('https:')
  })
})

describe('redirects', () => {
  const read = async (uri: string, config = {}) => {
    const store = await openStore(config)
    try {
      const { body, size } = await store.read(httpLocation.parse(uri), { offset: 10, length: 20, signal: never })
      return { bytes: new Uint8Array(await collect(body)), size }
    } finally {
      await store.close()
    }
  }

  const hops = (count: number, status = 302) =>
    web((request, response) => {
      const hop = Number(request.url?.slice(1))
      if (hop < count) response.writeHead(status, { Location: `/${hop + 1}` }).end('moved')
      else serving(bytes)(request, response)
    })

  it.each([301, 302, 303, 307, 308])('follows %o with method and range', async (status) => {
    await using site = await hops(1, status)
    expect(await read(`${site.url}/0`)).toEqual({ bytes: bytes.subarray(10, 30), size: 3000 })
    const store = await openStore()
    expect(await store.stat(httpLocation.parse(`${site.url}/0`), { signal: never })).toMatchObject({ size: 3000 })
    await store.close()
    expect(site.requests.map(({ method }) => method)).toEqual(['GET', 'GET', 'HEAD', 'HEAD'])
  })

  it('follows five and no more', async () => {
    await using five = await hops(5)
    expect((await read(`${five.url}/0`)).size).toBe(3000)
    await using six = await hops(6)
    await expect(read(`${six.url}/0`)).rejects.toMatchObject({ code: 'invalid_location', retryable: false })
    expect(six.requests).toHaveLength(6)
  })

  it('ends a loop', async () => {
    await using site = await web((_, response) => void response.writeHead(302, { Location: '/' }).end())
    await expect(read(site.url)).rejects.toMatchObject({ code: 'invalid_location' })
  })

  it('follows none when told so', async () => {
    await using site = await hops(1)
    await expect(read(`${site.url}/0`, { maxRedirects: 0 })).rejects.toMatchObject({ code: 'invalid_location' })
  })

  it('does not wait for the end of a page that redirects', async () => {
    await using site = await web((request, response) => {
      if (request.url === '/a') response.writeHead(302, { Location: '/b' }).write('for ever')
      else serving(bytes)(request, response)
    })
    expect((await read(`${site.url}/a`)).size).toBe(3000)
  })

  it.each([
    'http://127.0.0.2/',
    'http://[::1]/',
    'http://169.254.169.254/latest',
    'http://localhost.example.localhost/',
  ])('refuses to go to %s like a location that says so', async (target) => {
    await using site = await web((_, response) => void response.writeHead(302, { Location: target }).end())
    const config = { allow: ['127.0.0.1'], deny: ['localhost.example.localhost'] }
    const direct: unknown = await read(target, config).catch((error: unknown) => error)
    const indirect: unknown = await read(site.url, config).catch((error: unknown) => error)
    expect(direct).toMatchObject({ code: 'invalid_location', retryable: false })
    expect(JSON.stringify(indirect)).toBe(JSON.stringify(direct))
    expect(String(indirect)).toBe(String(direct))
  })

  it('keeps to the allowed port', async () => {
    await using other = await web(serving(bytes))
    await using site = await web((_, response) => void response.writeHead(302, { Location: other.url }).end())
    await expect(read(site.url, { allow: [`127.0.0.1:${site.port}`] })).rejects.toMatchObject({
      code: 'invalid_location',
    })
    expect(other.connections).toHaveLength(0)
  })

  it('keeps to the configured ports, schemes and names', async () => {
    await using other = await web(serving(bytes))
    await using site = await web((request, response) => {
      const scheme = request.url === '/tls' ? 'https' : 'http'
      const host = request.url === '/name' ? 'localhost' : '127.0.0.1'
      response.writeHead(302, { Location: `${scheme}://${host}:${other.port}/` }).end()
    })
    const refused = { code: 'invalid_location', retryable: false }
    await expect(read(`${site.url}/port`, { ports: [site.port] })).rejects.toMatchObject(refused)
    await expect(read(`${site.url}/tls`, { schemes: ['http'] })).rejects.toMatchObject(refused)
    await expect(read(`${site.url}/name`, { deny: ['localhost'] })).rejects.toMatchObject(refused)
    expect(other.connections).toHaveLength(0)
    expect((await read(`${site.url}/port`)).size).toBe(3000)
  })

  it('shows credentials to their origin only, and never again after leaving it', async () => {
    await using other = await web(
      (request, response) => void response.writeHead(302, { Location: `${home()}/c` }).end(request.url),
    )
    await using site = await web((request, response) => {
      if (request.url === '/a') response.writeHead(302, { Location: '/b' }).end()
      else if (request.url === '/b') response.writeHead(302, { Location: other.url }).end()
      else serving(bytes)(request, response)
    })
    const home = (): string => site.url
    await read(`${site.url.replace('//', '//u:p@')}/a`)
    const shown = [...site.requests, ...other.requests].map(({ url, headers }) => [
      url,
      headers.authorization !== undefined,
    ])
    expect(shown).toEqual([
      ['/a', true],
      ['/b', true],
      ['/c', false],
      ['/', false],
    ])
  })
})
