import { createServer, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { openRemoteRegistry, type RemoteRegistry, type RemoteRegistryConfig } from '@mullion/registry'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { startRegistry } from '../../../examples/image-server/test/registry/registry.ts'
import { everything, IDS, image, rejects } from '../../sql/test/contract/ports.ts'

const [ID] = IDS

const remotes: RemoteRegistry[] = []
afterEach(async () => {
  for (const remote of remotes.splice(0)) await remote.close()
})

async function connect(config: RemoteRegistryConfig): Promise<RemoteRegistry> {
  const remote = await openRemoteRegistry(config)
  remotes.push(remote)
  return remote
}

/** What a server that is no registry, or a sick one, answers; resolves with its URL. */
async function answering(status: number, body: string, headers: Record<string, string> = {}): Promise<string> {
  const server: Server = createServer((request, response) => {
    request.resume()
    response.writeHead(status, headers).end(body)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('answers that are none of a registry', () => {
  it.each([
    [404, '<html>Not Found</html>'],
    [404, '{"message": "no", "code": "404 Not Found", "title": "Not Found"}'],
    [200, '<html>welcome</html>'],
    [200, '{"image": {"id": "x"}}'],
    [301, ''],
    [500, '{"error": {"code": "internal", "message": "secret path"}}'],
  ])('%i %s does not say that there is no image', async (status, body) => {
    const { images } = await connect({ url: await answering(status, body) })
    const error: unknown = await images.get(ID).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'unavailable', retryable: false })
    expect(String(error)).not.toContain('secret')
  })

  it.each([
    [401, 'unauthenticated'],
    [403, 'permission_denied'],
    [429, 'rate_limited'],
    [502, 'unavailable'],
    [503, 'unavailable'],
    [504, 'unavailable'],
  ])('%i is %s', async (status, code) => {
    const { images } = await connect({ url: await answering(status, 'x'), attempts: 1 })
    await expect(images.get(ID)).rejects.toMatchObject({ code })
  })

  it('an endless one is cut off', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200)
      const more = (): void => void response.write(Buffer.alloc(1024 * 1024), () => !response.destroyed && more())
      more()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    })
    const { images } = await connect({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    await expect(images.get(ID)).rejects.toThrow('the answer is too long')
  })
})

describe('a registry that does not answer', () => {
  /** Takes connections and says nothing. */
  async function silent(): Promise<{ readonly url: string; readonly sockets: Set<Socket> }> {
    const sockets = new Set<Socket>()
    const server = createTcpServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => sockets.delete(socket))
      socket.resume()
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    })
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sockets }
  }

  it('in time: timeout, after as many tries as a question has', async () => {
    const { url } = await silent()
    const { images } = await connect({ url, responseTimeoutMs: 50, attempts: 2 })
    await expect(images.get(ID)).rejects.toMatchObject({ code: 'timeout', retryable: true, details: { limitMs: 50 } })
  })

  it('because nobody listens: unavailable, and what must not be sent twice is tried again too', async () => {
    const registry = await startRegistry()
    await registry.close()
    let tries = 0
    const provider = {
      async token() {
        tries += 1
        return 'token'
      },
      refused() {},
    }
    const { images, tasks } = await connect({ url: registry.url, credentials: { type: 'provider', provider } })
    await rejects(images.update(ID, { name: 'x' }), 'unavailable')
    expect(tries).toBe(3)
    await rejects(tasks.claim('w', 'copy'), 'unavailable')
    expect(tries).toBe(6)
  })

  it('until it is closed: what is under way is closed, and no connection is left', async () => {
    const { url, sockets } = await silent()
    const { images, close } = await connect({ url })
    const asked = images.list(everything())
    while (sockets.size === 0) await new Promise((resolve) => setImmediate(resolve))
    await Promise.all([close(), rejects(asked, 'closed')])
    await rejects(images.get(ID), 'closed')
    for (const socket of sockets) await once(socket, 'close')
  })
})

describe('connections', () => {
  it('are kept, and are no more than allowed', async () => {
    const registry = await startRegistry()
    onTestFinished(() => registry.close())
    await registry.ports.images.insert(image())
    const { images } = await connect({ url: registry.url, maxConnections: 2 })
    await Promise.all(Array.from({ length: 20 }, () => images.get(ID)))
    await images.get(ID)
    expect(registry.connections()).toBe(2)
  })

  it('survive that the registry was restarted', async () => {
    const first = await startRegistry()
    await first.ports.images.insert(image())
    const { images } = await connect({ url: first.url })
    await images.get(ID)
    await first.close()
    const second = await startRegistry(first.ports, {}, first.port)
    onTestFinished(() => second.close())
    expect((await images.get(ID)).id).toBe(ID)
    expect((await images.update(ID, { name: 'x' })).name).toBe('x')
  })
})

describe('credentials', () => {
  const trusted = { auth: 'trusted' } as const

  it('are identity headers for a registry that believes them', async () => {
    const registry = await startRegistry(undefined, trusted)
    onTestFinished(() => registry.close())
    const roles = ['service', 'admin']
    const { images } = await connect({
      url: registry.url,
      credentials: { type: 'trusted', user: 'u', project: 'p', roles },
    })
    expect((await images.insert(image({ owner: 'o' }))).owner).toBe('o')
  })

  it('of somebody else than an administrator are not enough', async () => {
    const registry = await startRegistry(undefined, trusted)
    onTestFinished(() => registry.close())
    const { images } = await connect({ url: registry.url, credentials: { type: 'trusted', roles: ['member'] } })
    await rejects(images.get(ID), 'permission_denied')
    const stranger = await connect({ url: registry.url })
    await rejects(stranger.images.get(ID), 'unauthenticated')
  })

  it('from a provider are renewed once when they are refused', async () => {
    const registry = await startRegistry(undefined, {
      auth: {
        identify: async ({ headers }) =>
          headers['x-auth-token'] === 'new' ? { user: 'u', tenant: 'p', roles: ['admin'] } : undefined,
        challenge: () => undefined,
      },
    })
    onTestFinished(() => registry.close())
    const refused: string[] = []
    let token = 'old'
    const provider = {
      token: async () => token,
      refused: (value: string) => {
        refused.push(value)
        token = 'new'
      },
    }
    const { images } = await connect({ url: registry.url, credentials: { type: 'provider', provider } })
    await images.insert(image())
    await images.get(ID)
    expect(refused).toEqual(['old'])
    token = 'wrong'
    provider.refused = () => {}
    await rejects(images.get(ID), 'unauthenticated')
  })
})

describe('the configuration', () => {
  it.each<[string, Partial<RemoteRegistryConfig>, RegExp]>([
    ['a URL that is none', { url: 'registry:9191' }, /^registry: url: expected an http or https URL/],
    ['credentials in the URL', { url: 'http://u:hunter2@h' }, /^registry: url: expected .* without credentials/],
    ['a short key', { encryptionKeys: [{ id: 'a', key: 'hunter2' }] }, /encryptionKeys\.0\.key: expected 32 bytes/],
    ['refusePlain without a key', { refusePlain: true }, /refusePlain: expected at least one encryption key/],
    ['a certificate without its key', { cert: 'x' }, /cert: expected cert and key together/],
    ['authorities that are missing', { ca: '/nowhere' }, /ca: expected PEM text or a readable file/],
    ['authorities that are none', { ca: '-----BEGIN nonsense' }, /ca: expected PEM certificates/],
  ])('refuses %s, and says nothing secret', async (_what, config, problem) => {
    const error: unknown = await openRemoteRegistry({ url: 'http://127.0.0.1:1', ...config }).catch(
      (reason: unknown) => reason,
    )
    expect(error).toMatchObject({ code: 'invalid_config', message: expect.stringMatching(problem) as string })
    expect(String(error)).not.toContain('hunter2')
  })

  const KEYS = [{ id: 'a', key: Buffer.alloc(32, 1).toString('base64') }]
  const bearer = { type: 'bearer', token: 'hunter2' } as const
  const provider = { type: 'provider', provider: { token: async () => 'hunter2', refused() {} } } as const
  const trusted = { type: 'trusted', roles: ['admin'] } as const

  it.each<[string, Partial<RemoteRegistryConfig>]>([
    ['a bearer token', { credentials: bearer, encryptionKeys: KEYS }],
    ['a token of a provider', { credentials: provider, encryptionKeys: KEYS }],
    ['locations that are not encrypted', {}],
  ])('does not send %s to another machine in the clear, unless it is told to', async (_what, config) => {
    for (const host of ['registry.example:9191', '192.0.2.1', '[2001:db8::1]', '127.0.0.1.example', '128.0.0.1']) {
      const refused: unknown = await openRemoteRegistry({ url: `http://${host}`, ...config }).catch(
        (error: unknown) => error,
      )
      expect(refused).toMatchObject({
        code: 'invalid_config',
        message: expect.stringMatching(/url: expected https/) as string,
      })
      expect(String(refused)).not.toContain('hunter2')
      await connect({ url: `http://${host}`, ...config, allowPlainHttp: true })
      await connect({ url: `https://${host}`, ...config })
    }
    for (const host of ['localhost', '127.0.0.1:9191', '127.1.2.3', '[::1]:9191'])
      await connect({ url: `http://${host}`, ...config })
  })

  it.each([{ type: 'none' } as const, trusted])(
    'sends sealed values and no token over plain http: %j',
    async (credentials) => {
      await connect({ url: 'http://registry.example', credentials, encryptionKeys: KEYS })
    },
  )
})
