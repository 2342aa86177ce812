import type { AddressInfo } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { memoryRegistry, memoryTasks } from 'mullion/images'
import { buildRegistryApp, type RegistryAppSettings } from '../../src/registry/app.ts'
import type { RegistryPorts } from '../../src/registry/context.ts'

const SETTINGS: RegistryAppSettings = {
  auth: 'none',
  allowAnonymousWrites: true,
  allowAnonymousAccess: false,
  ownerIsTenant: true,
  adminRole: 'admin',
  limitParamDefault: 25,
  apiLimitMax: 1000,
  maxHeaderLine: 16_384,
  maxRequestIdLength: 64,
  requestTimeoutMs: 60_000,
}

/** What happens to a request: its connection breaks before anybody looks at it, or once it was carried out. */
export type Fault = 'before' | 'after' | undefined

export interface TestRegistry {
  readonly url: string
  readonly port: number
  readonly ports: RegistryPorts
  /** Method and path of what arrived, except of what broke before. */
  readonly seen: readonly string[]
  /** That were made so far. */
  connections(): number
  /** For the next requests, one each. */
  breakNext(...faults: readonly Fault[]): void
  close(): Promise<void>
}

/** A registry on a port of its own, over records in memory unless others are given. */
export async function startRegistry(
  ports: RegistryPorts = { ...memoryRegistry(), tasks: memoryTasks() },
  settings: Partial<RegistryAppSettings> = {},
  wantedPort = 0,
): Promise<TestRegistry> {
  const app = buildRegistryApp(ports, { ...SETTINGS, ...settings })
  const seen: string[] = []
  const faults: Fault[] = []
  const broken = new WeakSet<FastifyRequest>()
  app.addHook('onRequest', async (request, reply) => {
    const fault = faults.shift()
    if (fault === 'before') {
      reply.hijack()
      request.socket.resetAndDestroy()
      return
    }
    seen.push(`${request.method} ${request.url.replace(/\?.*$/s, '')}`)
    if (fault === 'after') broken.add(request)
  })
  app.addHook('onSend', async (request) => {
    if (broken.has(request)) request.socket.resetAndDestroy()
  })
  let connections = 0
  app.server.on('connection', () => {
    connections += 1
  })
  await app.listen({ host: '127.0.0.1', port: wantedPort })
  const { port } = app.server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    ports,
    seen,
    connections: () => connections,
    breakNext: (...next) => void faults.push(...next),
    async close() {
      app.server.closeAllConnections()
      await app.close()
    },
  }
}
