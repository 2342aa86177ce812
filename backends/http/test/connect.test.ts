import type { LookupAddress } from 'node:dns'
import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { collect } from 'mullion'
import { describe, expect, it } from 'vitest'
import type { Resolve } from '../src/agents.ts'
import { guardedAgents } from '../src/agents.ts'
import { createGuard } from '../src/guard.ts'
import { httpLocation } from '../src/location.ts'
import { never, openStore, serving, someBytes, web } from './web.ts'

const bytes = someBytes(200)
const at = (...addresses: readonly string[]): readonly LookupAddress[] =>
  addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))

/** Reads the whole object; the resolver answers whatever is asked. */
async function read(uri: string, resolve: Resolve, config = {}): Promise<unknown> {
  const store = await openStore({ connectTimeoutMs: 2000, ...config }, resolve)
  try {
    const { body } = await store.read(httpLocation.parse(uri), { offset: 0, length: undefined, signal: never })
    return new Uint8Array(await collect(body))
  } catch (error) {
    return error
  } finally {
    await store.close()
  }
}

const refused = {
  code: 'invalid_location',
  retryable: false,
  message: expect.stringContaining('not allowed') as string,
}

describe('connecting', () => {
  it('goes to the address that was checked, with the name in Host', async () => {
    await using site = await web(serving(bytes))
    const names: string[] = []
    const resolve: Resolve = (host) => {
      names.push(host)
      return Promise.resolve(at('127.0.0.1'))
    }
    expect(await read(`http://Mirror.example:${site.port}/`, resolve)).toEqual(bytes)
    expect(names).toEqual(['mirror.example'])
    expect(site.requests[0]?.headers.host).toBe(`mirror.example:${site.port}`)
  })

  it.each([
    ['a private address', at('10.0.0.1')],
    ['the metadata service', at('169.254.169.254')],
    ['an address in disguise', at('::ffff:10.0.0.1')],
    ['one bad address among good ones', at('127.0.0.1', '192.168.0.1')],
    ['a good IPv4 and a bad IPv6 address', at('127.0.0.1', 'fd00::1')],
    ['an address with a zone', at('fe80::1%lo')],
    ['no address at all', []],
  ])('refuses a name that resolves to %s', async (_, addresses) => {
    await using site = await web(serving(bytes))
    expect(await read(`http://mirror.example:${site.port}/`, () => Promise.resolve(addresses))).toMatchObject(refused)
    expect(site.connections).toHaveLength(0)
  })

  it('refuses a name that turns bad between two requests', async () => {
    await using site = await web((request, response) => {
      if (request.url === '/a') response.writeHead(302, { Location: '/b', Connection: 'close' }).end()
      else serving(bytes)(request, response)
    })
    const answers = [at('127.0.0.1'), at('169.254.169.254')]
    const resolve: Resolve = () => Promise.resolve(answers.shift() ?? [])
    expect(await read(`http://mirror.example:${site.port}/a`, resolve)).toMatchObject(refused)
    expect(site.requests).toHaveLength(1)
  })

  it('uses what an allowed name resolves to, on its port only, but nothing denied', async () => {
    await using site = await web(serving(bytes))
    const uri = `http://mirror.example:${site.port}/`
    const resolve: Resolve = () => Promise.resolve(at('127.0.0.1'))
    expect(await read(uri, resolve, { allow: [`mirror.example:${site.port}`] })).toEqual(bytes)
    expect(await read(uri, resolve, { allow: ['mirror.example:1'] })).toMatchObject(refused)
    expect(await read(uri, resolve, { allow: ['mirror.example'], deny: ['127.0.0.0/8'] })).toMatchObject(refused)
  })

  it('fails like a refusal when the name does not exist', async () => {
    const store = await openStore()
    const options = { offset: 0, length: undefined, signal: never }
    await expect(store.read(httpLocation.parse('http://no-such-name.invalid/'), options)).rejects.toMatchObject(refused)
    await store.close()
  })

  it('says unavailable when the resolver fails', async () => {
    const failing: Resolve = () => Promise.reject(Object.assign(new Error('secret'), { code: 'EAI_AGAIN' }))
    const error = await read('http://mirror.example/', failing)
    expect(error).toMatchObject({ code: 'unavailable', retryable: true })
    expect(String(error)).toMatch(/EAI_AGAIN/)
    expect(String(error)).not.toMatch(/secret/)
  })

  it('does not wait for ever for a resolver', async () => {
    const hanging: Resolve = () => new Promise(() => {})
    expect(await read('http://mirror.example/', hanging, { connectTimeoutMs: 50 })).toMatchObject({
      code: 'timeout',
      details: { limitMs: 50 },
    })
  })

  it('judges addresses once more right before connecting', () => {
    const agents = guardedAgents(createGuard(), () => Promise.resolve([]), {
      maxConnections: 1,
      secureContext: undefined,
    })
    for (const agent of [agents.http, agents.https]) {
      expect(() => agent.createConnection({ host: '127.0.0.1', port: 9 }, () => {})).toThrow(/not allowed/)
      expect(() => agent.createConnection({ host: '::ffff:127.0.0.1', port: 9 }, () => {})).toThrow(/not allowed/)
    }
  })

  it('says unavailable when nobody listens', async () => {
    const site = await web(serving(bytes))
    await site[Symbol.asyncDispose]()
    expect(await read(site.url, () => Promise.resolve([]))).toMatchObject({ code: 'unavailable', retryable: true })
  })
})

describe('a kept connection', () => {
  it('is used again', async () => {
    await using site = await web(serving(bytes))
    const store = await openStore()
    for (let index = 0; index < 3; index += 1) {
      await store.stat(httpLocation.parse(site.url), { signal: never })
      const { body } = await store.read(httpLocation.parse(site.url), { offset: 5, length: 5, signal: never })
      await collect(body)
    }
    expect(site.connections).toHaveLength(1)
    await store.close()
  })

  it('that the server has given up is replaced without an error', async () => {
    await using site = await once((socket, index) => {
      if (index > 0) socket.resetAndDestroy()
      else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
    })
    const store = await openStore()
    for (let index = 0; index < 3; index += 1) {
      expect(await store.stat(httpLocation.parse(site.url), { signal: never })).toMatchObject({ size: 5 })
    }
    expect(site.sockets).toBe(3)
    await store.close()
  })

  it('that was never used before is not', async () => {
    await using site = await once((socket) => void socket.resetAndDestroy())
    const store = await openStore()
    await expect(store.stat(httpLocation.parse(site.url), { signal: never })).rejects.toMatchObject({
      code: 'unavailable',
    })
    expect(site.sockets).toBe(1)
    await store.close()
  })
})

/** A TCP server that calls `answer` with the number of the request on its connection. */
async function once(answer: (socket: Socket, index: number) => void) {
  let sockets = 0
  const server: Server = createServer((socket) => {
    sockets += 1
    let requests = 0
    socket.on('error', () => {}).on('data', () => answer(socket, requests++))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    get sockets() {
      return sockets
    },
    [Symbol.asyncDispose]: () => new Promise<void>((done) => void server.close(() => done())),
  }
}
