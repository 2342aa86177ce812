import type { ServerResponse } from 'node:http'
import { inspect } from 'node:util'
import { collect } from 'mullion'
import { describe, expect, it } from 'vitest'
import { httpLocation } from '../src/location.ts'
import { env, never, openStore, serving, someBytes, web } from './web.ts'

const bytes = someBytes(100_000)

async function read(uri: string, offset = 0, length?: number, config = {}) {
  const store = await openStore(config)
  try {
    const result = await store.read(httpLocation.parse(uri), { offset, length, signal: never })
    return { ...result, bytes: new Uint8Array(await collect(result.body)) }
  } finally {
    await store.close()
  }
}

describe('read', () => {
  it('gives all bytes, the size and the strong validator', async () => {
    await using site = await web(serving(bytes))
    expect(await read(site.url)).toMatchObject({ bytes, size: bytes.length, etag: '"v1"' })
    expect(site.requests[0]?.headers).toMatchObject({
      'accept-encoding': 'identity',
      'user-agent': 'mullion',
      accept: '*/*',
    })
    expect(site.requests[0]?.headers).not.toHaveProperty('range')
    expect(site.requests[0]?.headers).not.toHaveProperty('cookie')
  })

  it('keeps back a weak validator, which does not promise equal bytes', async () => {
    await using site = await web(serving(bytes, 'W/"v1"'))
    expect((await read(site.url)).etag).toBeUndefined()
  })

  it.each([
    [0, 1],
    [0, 100_000],
    [1, undefined],
    [99_999, undefined],
    [99_999, 1],
    [500, 1000],
    [99_000, 5000],
    [0, 200_000],
  ])('gives the range from %o, %o bytes, and the size of the whole', async (offset, length) => {
    await using site = await web(serving(bytes))
    const wanted = bytes.subarray(offset, length === undefined ? undefined : offset + length)
    expect(await read(site.url, offset, length)).toMatchObject({ bytes: wanted, size: bytes.length })
  })

  it.each([
    [100_000, undefined],
    [100_001, 5],
  ])('is empty behind the end, from %o', async (offset, length) => {
    await using site = await web(serving(bytes))
    expect(await read(site.url, offset, length)).toMatchObject({ bytes: new Uint8Array(), size: bytes.length })
  })

  it.each([
    [0, undefined],
    [0, 10],
    [5, 10],
  ])('reads an empty object, from %o', async (offset, length) => {
    await using site = await web(serving(new Uint8Array()))
    expect(await read(site.url, offset, length)).toMatchObject({ bytes: new Uint8Array(), size: 0 })
  })

  it.each([
    [10, 20],
    [10, undefined],
    [0, 20],
    [99_990, 20],
    [100_000, 1],
    [200_000, undefined],
  ])('drops what was not asked for when the server ignores the range, from %o, %o bytes', async (offset, length) => {
    await using site = await web((request, response) => {
      delete request.headers.range
      serving(bytes)(request, response)
    })
    const wanted = bytes.subarray(offset, length === undefined ? undefined : offset + length)
    expect(await read(site.url, offset, length)).toMatchObject({ bytes: wanted, size: bytes.length })
  })

  it('skips no more than it may', async () => {
    await using site = await web((request, response) => {
      delete request.headers.range
      serving(bytes)(request, response)
    })
    await expect(read(site.url, 1001, 1, { maxSkip: 1000 })).rejects.toMatchObject({ code: 'unsupported' })
    expect((await read(site.url, 1000, 1, { maxSkip: 1000 })).bytes).toEqual(bytes.subarray(1000, 1001))
  })

  it('gives one byte at a time as it comes', async () => {
    await using site = await web((_, response) => {
      response.writeHead(200, { 'Content-Length': 40 })
      for (const byte of bytes.subarray(0, 40)) response.write(Uint8Array.of(byte))
      response.end()
    })
    expect((await read(site.url)).bytes).toEqual(bytes.subarray(0, 40))
  })

  it('does not know the size of a chunked body', async () => {
    await using site = await web((_, response) => {
      response.write(bytes)
      response.end()
    })
    expect(await read(site.url)).toMatchObject({ bytes, size: undefined })
  })

  it.each([
    ['fewer', 'bytes 0-98/100000'],
    ['others', 'bytes 1-99/100000'],
    ['more', 'bytes 0-100/100000'],
    ['senseless', 'bytes 0-99/50'],
    ['unspecified', undefined],
  ])('refuses a range of %s bytes', async (_, header) => {
    await using site = await web((_request, response) => {
      response.writeHead(206, header === undefined ? {} : { 'Content-Range': header }).end(bytes.subarray(0, 99))
    })
    await expect(read(site.url, 0, 100)).rejects.toMatchObject({ code: 'unavailable', retryable: false })
  })

  it.each([99, 101])('fails when %o bytes come for a range of 100', async (count) => {
    await using site = await web((_, response) => {
      response.writeHead(206, { 'Content-Range': 'bytes 0-99/100000' }).end(bytes.subarray(0, count))
    })
    await expect(read(site.url, 0, 100)).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('fails when the connection ends before the announced length', async () => {
    await using site = await web((_, response) => {
      response.writeHead(200, { 'Content-Length': 100 }).write(bytes.subarray(0, 50), () => response.destroy())
    })
    await expect(read(site.url)).rejects.toMatchObject({ code: 'unavailable', retryable: true })
  })

  it('refuses a range that the server says does not exist though it does', async () => {
    await using site = await web(
      (_, response) => void response.writeHead(416, { 'Content-Range': 'bytes */100' }).end(),
    )
    await expect(read(site.url, 50)).rejects.toMatchObject({ code: 'unavailable', retryable: false })
  })

  it.each([
    { 'Content-Encoding': 'gzip' },
    { 'Content-Encoding': 'br, gzip' },
    { 'Transfer-Encoding': 'gzip, chunked' },
  ])('refuses an encoding that was not asked for: %o', async (headers) => {
    await using site = await web((_, response) => void response.writeHead(200, headers as Record<string, string>).end())
    await expect(read(site.url)).rejects.toMatchObject({ code: 'unavailable', retryable: false })
  })

  it.each([
    [400, 'invalid_location', false, {}],
    [401, 'unauthenticated', false, {}],
    [403, 'permission_denied', false, {}],
    [404, 'not_found', false, {}],
    [405, 'invalid_location', false, {}],
    [408, 'unavailable', true, {}],
    [410, 'not_found', false, {}],
    [418, 'invalid_location', false, {}],
    [429, 'rate_limited', true, { afterMs: 7000 }],
    [500, 'unavailable', true, { afterMs: 7000 }],
    [502, 'unavailable', true, {}],
    [503, 'unavailable', true, { afterMs: 7000 }],
    [504, 'unavailable', true, {}],
    [204, 'unavailable', false, {}],
    [206, 'unavailable', false, {}],
    [300, 'invalid_location', false, {}],
    [304, 'invalid_location', false, {}],
  ])('answers status %o with %s', async (status, code, retryable, details) => {
    await using site = await web((_, response) => void response.writeHead(status, { 'Retry-After': '7' }).end())
    await expect(read(site.url)).rejects.toMatchObject({ code, retryable, details })
  })

  it('understands a date in Retry-After', async () => {
    const date = new Date(env.now() + 90_000).toUTCString()
    await using site = await web((_, response) => void response.writeHead(503, { 'Retry-After': date }).end())
    await expect(read(site.url)).rejects.toMatchObject({ details: { afterMs: 90_000 } })
  })

  it('tells nothing of credentials, queries and error pages, and does not read the page', async () => {
    const endless = (_: unknown, response: ServerResponse): void => {
      response.writeHead(404)
      const more = (): void => {
        while (response.write('internal details '.repeat(1000)));
        response.once('drain', more)
      }
      more()
    }
    await using site = await web(endless)
    const uri = `${site.url.replace('//', '//user:pa55word@')}/x?signature=s1gnature`
    const error: unknown = await read(uri).catch((thrown: unknown) => thrown)
    const text = inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error)
    expect(text).toContain('not_found')
    expect(text).not.toMatch(/pa55word|s1gnature|internal details|dXNlcjpwYTU1d29yZA/)
  })

  it('sends credentials of the location as Basic authentication', async () => {
    await using site = await web(serving(bytes))
    await read(site.url.replace('//', '//user:p%3Aw@'))
    expect(site.requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from('user:p:w').toString('base64')}`)
    expect(site.requests[0]?.url).toBe('/')
  })

  it('keeps no cookies', async () => {
    await using site = await web((_, response) => void response.writeHead(200, { 'Set-Cookie': 'a=b' }).end('x'))
    const store = await openStore()
    for (let index = 0; index < 2; index += 1) {
      const { body } = await store.read(httpLocation.parse(site.url), { offset: 0, length: undefined, signal: never })
      await collect(body)
    }
    await store.close()
    expect(site.requests).toHaveLength(2)
    expect(site.requests[1]?.headers.cookie).toBeUndefined()
  })

  it('holds the server back while nobody reads', async () => {
    const size = 48 * 1024 * 1024
    const sent: number[] = []
    await using site = await web((_, response) => {
      const index = sent.push(0) - 1
      response.writeHead(200, { 'Content-Length': size })
      const more = (): void => {
        for (let isFree = true; isFree && (sent[index] ?? 0) < size; ) {
          isFree = response.write(new Uint8Array(65_536))
          sent[index] = (sent[index] ?? 0) + 65_536
        }
        if (sent[index] === size) response.end()
        else response.once('drain', more)
      }
      more()
    })
    const store = await openStore()
    const open = () => store.read(httpLocation.parse(site.url), { offset: 0, length: undefined, signal: never })
    const waiting = (await open()).body[Symbol.asyncIterator]()
    expect((await waiting.next()).done).toBe(false)
    // a whole body that passes meanwhile shows that the first server could have sent all of its own
    let passed = 0
    for await (const chunk of (await open()).body) passed += chunk.length
    expect(passed).toBe(size)
    expect(sent[1]).toBe(size)
    expect(sent[0]).toBeLessThan(size / 2)
    await store.close()
  })

  it('closes the connection of a reader that leaves', async () => {
    await using site = await web((_, response) => void response.writeHead(200, { 'Content-Length': 1e6 }).write(bytes))
    const store = await openStore()
    const { body } = await store.read(httpLocation.parse(site.url), { offset: 0, length: undefined, signal: never })
    const closed = new Promise((done) => site.connections[0]?.once('close', done))
    for await (const chunk of body) if (chunk.length > 0) break
    await closed
    await store.close()
  })
})
