import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Authenticator } from '../../../src/auth/identity.ts'
import { keystone, type KeystoneSettings } from '../../../src/auth/keystone/keystone.ts'

export interface Double {
  readonly url: string
  /** Requests since the start, as `POST` (a login) and the subject tokens of validations. */
  readonly seen: readonly string[]
  /** How many connections were opened. */
  connections(): number
}

export type Validate = (subject: string, response: ServerResponse, request: IncomingMessage) => void

/** What a real Keystone cannot be made to do. Logins succeed unless `login` answers them. */
export async function keystoneDouble(validate: Validate, login: Validate = issue): Promise<Double> {
  const seen: string[] = []
  let connections = 0
  const server = createServer((request, response) => {
    const subject = String(request.headers['x-subject-token'] ?? '')
    seen.push(request.method === 'POST' ? 'POST' : subject)
    request.resume()
    if (request.method === 'POST') login('', response, request)
    else validate(subject, response, request)
  })
  server.on('connection', () => connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, connections: () => connections }
}

let issued = 0

function issue(_subject: string, response: ServerResponse): void {
  response.writeHead(201, { 'x-subject-token': `service-${++issued}` }).end(document())
}

/** The answer to a validation. */
export function confirm(response: ServerResponse, over: object = {}): void {
  response.writeHead(200).end(document(over))
}

function document(over: object = {}): string {
  const token = {
    user: { id: 'u' },
    project: { id: 'p' },
    roles: [{ name: 'member' }],
    expires_at: new Date(Date.now() + 3_600_000).toISOString(),
    catalog: [],
  }
  return JSON.stringify({ token: { ...token, ...over } })
}

export interface Scene {
  readonly auth: Authenticator
  readonly clock: { now: number }
  readonly log: string[]
}

/** An authenticator whose clock is moved by the test. */
export function asking(url: string, over: Partial<KeystoneSettings> = {}): Scene {
  const clock = { now: Date.now() }
  const log: string[] = []
  const settings: KeystoneSettings = {
    url,
    credentials: {
      kind: 'password',
      user: { id: 'server' },
      password: 'secret-of-the-server',
      project: { id: 'service' },
    },
    timeoutMs: 5_000,
    cacheMs: 60_000,
    cacheSize: 100,
    serviceType: 'image',
    serviceRoles: ['service'],
    adminRole: 'admin',
    log: (level, message) => log.push(`${level}: ${message}`),
    ...over,
  }
  const auth = keystone(settings, () => clock.now)
  onTestFinished(() => auth.close?.())
  return { auth, clock, log }
}

/** A request with this token, as an authenticator sees it. */
export function bearing(token: string, over: object = {}): IncomingMessage {
  return { method: 'GET', url: '/v1/images', headers: { 'x-auth-token': token, ...over } } as unknown as IncomingMessage
}
