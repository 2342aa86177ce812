import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { createStores, isMullionError } from 'mullion'
import { assertSeeded, seededBytes } from 'mullion/testkit'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { keystoneService, type Sandbox, sandbox, UNIT, v1Service } from './support.ts'

const SIZE = 4 * UNIT

describeWithService(
  ['SWIFT_AUTH_URL', 'SWIFT_USER2', 'SWIFT_KEY2'],
  'swift.sh',
  'a v1 token that ends in the middle of an upload',
  ({ SWIFT_AUTH_URL, SWIFT_USER2, SWIFT_KEY2 }) => {
    const service = v1Service(SWIFT_AUTH_URL, SWIFT_USER2, SWIFT_KEY2)
    const box = sandbox(service)
    afterAll(() => box.remove())

    it.each([
      ['of unknown length', undefined],
      ['of one piece', SIZE],
    ])('is replaced, and the upload %s goes on', async (_what, largeObjectSize) => {
      const { storageUrl, token } = await service.login()
      const evict = async (): Promise<void> => {
        // swift common/middleware/tempauth.py keeps tokens here; all logins of a user share one
        expect(await forget(memcachedOf(SWIFT_AUTH_URL), md5(`AUTH_/token/${token}`))).toBe('DELETED')
        const answer = await fetch(storageUrl, { headers: { 'x-auth-token': token } })
        expect(answer.status).toBe(401)
      }
      await uploads(box, { ...(largeObjectSize !== undefined && { largeObjectSize }) }, evict)
    })
  },
)

describeWithService(
  [
    'SWIFT_AUTH_URL',
    'SWIFT_KEYSTONE_PROXY_URL',
    'KEYSTONE_AUTH_URL',
    'KEYSTONE_USER',
    'KEYSTONE_PASSWORD',
    'KEYSTONE_PROJECT',
    'KEYSTONE_PROJECT_ID',
  ],
  'MULLION_SWIFT_KEYSTONE=1 swift.sh',
  'Keystone',
  (env) => {
    const service = keystoneService(
      env.KEYSTONE_AUTH_URL,
      env.KEYSTONE_USER,
      env.KEYSTONE_PASSWORD,
      env.KEYSTONE_PROJECT,
    )
    const box = sandbox(service)
    const storageUrl = `${env.SWIFT_KEYSTONE_PROXY_URL}/v1/AUTH_${env.KEYSTONE_PROJECT_ID}`
    afterAll(() => box.remove())

    describe('a token that is revoked in the middle of an upload', () => {
      const seen = watchedIdentity(env.KEYSTONE_AUTH_URL)
      beforeAll(seen.open)
      afterAll(seen.close)

      it('is replaced, and the upload goes on', async () => {
        const revoke = async (): Promise<void> => {
          const [token = ''] = seen.tokens.slice(-1)
          const headers = { 'x-auth-token': token, 'x-subject-token': token }
          const revoked = await fetch(`${env.KEYSTONE_AUTH_URL}/auth/tokens`, { method: 'DELETE', headers })
          expect(revoked.status).toBe(204)
          // keystonemiddleware auth_token/_cache.py: without this the proxy believes in the token for minutes
          const name = createHash('sha256').update(token).digest('hex')
          await forget(memcachedOf(env.SWIFT_AUTH_URL), `tokens/${name}`)
          const answer = await fetch(storageUrl, { headers: { 'x-auth-token': token } })
          expect(answer.status).toBe(401)
        }
        const auth = { ...service.auth, url: seen.url() } as typeof service.auth
        await uploads(box, { auth, region: 'RegionOne' }, revoke)
        expect(seen.tokens.length).toBeGreaterThan(1)
      })
    })

    it('takes a token made elsewhere, and has no other when that one ends', async () => {
      const { token } = await service.login()
      const stores = await open(box, {
        auth: { type: 'token', token, url: env.KEYSTONE_AUTH_URL },
        region: 'RegionOne',
      })
      const { location } = await stores.add('by-token', seededBytes(1, 10))
      const headers = { 'x-auth-token': token, 'x-subject-token': token }
      await fetch(`${env.KEYSTONE_AUTH_URL}/auth/tokens`, { method: 'DELETE', headers })
      await forget(memcachedOf(env.SWIFT_AUTH_URL), `tokens/${createHash('sha256').update(token).digest('hex')}`)
      await expect(stores.delete(location)).rejects.toMatchObject({ code: 'unauthenticated' })
      await stores.close()
    })

    it('takes application credentials by id and by name', async () => {
      const { token } = await service.login()
      const made = await applicationCredential(env.KEYSTONE_AUTH_URL, token)
      const { url, id, name, secret, user } = made
      for (const auth of [
        { type: 'applicationCredential', url, id, secret },
        { type: 'applicationCredential', url, name, user, secret },
      ] as const) {
        const stores = await open(box, { auth, region: 'RegionOne' })
        const { location } = await stores.add('by-credential', seededBytes(1, 10))
        await stores.delete(location)
        await stores.close()
      }
      await made.remove()
    })

    it('finds the endpoint of a region, and says when there is none', async () => {
      const nowhere = await open(box, { region: 'Nowhere' })
      await expect(nowhere.add('x', seededBytes(1, 10))).rejects.toMatchObject({ code: 'invalid_config' })
      await nowhere.close()
      const silent = await open(box, { region: 'Elsewhere', connectTimeoutMs: 500 })
      await expect(silent.add('x', seededBytes(1, 10))).rejects.toSatisfy(
        (error) => isMullionError(error, 'unavailable') || isMullionError(error, 'timeout'),
      )
      await silent.close()
    })

    it('takes a storage URL in place of the catalogue', async () => {
      const stores = await open(box, { storageUrl, region: 'Nowhere' })
      const { location } = await stores.add('by-url', seededBytes(1, 10))
      await stores.delete(location)
      await stores.close()
    })
  },
)

type Config = Parameters<Sandbox['store']>[0]

async function open(box: Sandbox, config: Config) {
  return createStores({ stores: { s: box.store(config) }, default: 's', retry: { attempts: 1 } })
}

/** Adds seeded bytes and ends the token when half of them are gone. */
async function uploads(box: Sandbox, config: Config, endToken: () => Promise<void>): Promise<void> {
  const stores = await open(box, config)
  async function* source(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < SIZE; at += UNIT / 4) {
      if (at === SIZE / 2) await endToken()
      yield seededBytes(7, UNIT / 4, at)
    }
  }
  const size = config?.largeObjectSize === undefined ? {} : { size: SIZE }
  const { location } = await stores.add('token', source(), size)
  await using got = await stores.get(location)
  await assertSeeded(got.body, { seed: 7, length: SIZE })
  await stores.delete(location)
  await stores.close()
}

/** Keystone behind a server that notes the tokens it issues. */
function watchedIdentity(target: string) {
  const tokens: string[] = []
  const server = createServer((request, response) => void forward(request, response))
  const forward = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk as Uint8Array)
    const headers = { 'content-type': 'application/json' }
    const path = (request.url ?? '').replace(/^\/v3/, '')
    const answer = await fetch(target + path, { method: request.method ?? 'GET', headers, body: Buffer.concat(chunks) })
    const token = answer.headers.get('x-subject-token') ?? ''
    tokens.push(token)
    response.writeHead(answer.status, { 'x-subject-token': token, 'content-type': 'application/json' })
    response.end(await answer.text())
  }
  return {
    tokens,
    url: () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/v3`,
    async open() {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    },
    async close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function applicationCredential(url: string, token: string) {
  const headers = { 'x-auth-token': token, 'content-type': 'application/json' }
  const shown = await fetch(`${url}/auth/tokens`, { headers: { ...headers, 'x-subject-token': token } })
  const user = ((await shown.json()) as { token: { user: { id: string; name: string } } }).token.user
  const path = `${url}/users/${user.id}/application_credentials`
  const name = `mullion-${Math.random()}`
  const body = JSON.stringify({ application_credential: { name } })
  const answer = await fetch(path, { method: 'POST', headers, body })
  const made = (await answer.json()) as { application_credential: { id: string; secret: string } }
  const { id, secret } = made.application_credential
  return {
    url,
    id,
    name,
    secret,
    user: user.name,
    remove: () => fetch(`${path}/${id}`, { method: 'DELETE', headers }),
  }
}

/** swift.sh runs it next to the proxy. */
function memcachedOf(authUrl: string): number {
  return Number(new URL(authUrl).port) + 4
}

async function forget(port: number, key: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.write(`delete ${key}\r\n`)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  return answer.toString().trim()
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
