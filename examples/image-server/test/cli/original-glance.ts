import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, vi } from 'vitest'

/** A Glance as Debian packages it, with a file store. */
export interface OriginalGlance {
  /** Where it keeps the data of images. */
  readonly images: string
  /** One request of API v2, as an administrator of the project unless told otherwise. Answers the parsed body. */
  request(method: string, path: string, body?: object | Buffer, identity?: Identity): Promise<Record<string, unknown>>
  stop(): Promise<void>
}

export interface Identity {
  readonly project: string
  readonly roles: string
}

const ADMIN: Identity = { project: 'first', roles: 'admin,member' }

export interface GlanceSettings {
  /** `glance.sh`. */
  readonly script: string
  readonly directory: string
  /** As SQLAlchemy reads it. */
  readonly database: string
  readonly metadataKey?: string
}

/** Makes the database and serves. */
export async function startGlance({
  script,
  directory,
  database,
  metadataKey,
}: GlanceSettings): Promise<OriginalGlance> {
  const port = await freePort()
  const child = spawn('bash', [script, 'serve', directory, `${port}`, database], {
    env: { ...process.env, ...(metadataKey !== undefined && { GLANCE_METADATA_KEY: metadataKey }) },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // its group can be ended as a whole
  })
  const said = Promise.all([text(child.stdout), text(child.stderr)])
  const url = `http://127.0.0.1:${port}`
  const answers = vi.waitUntil(() => isServing(child, url), { interval: 200, timeout: 120_000 })
  if (!(await answers)) throw new Error(`glance ended: ${(await said).join('\n').slice(-2000)}`)
  return {
    images: `${directory}/images`,
    request: (method, path, body, identity = ADMIN) => request(`${url}${path}`, method, body, identity),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
      process.kill(-child.pid, 'SIGKILL')
      await once(child, 'exit')
    },
  }
}

async function isServing(child: ChildProcess, url: string): Promise<'serving' | 'ended' | undefined> {
  if (child.exitCode !== null) return 'ended'
  return fetch(`${url}/versions`, { signal: AbortSignal.timeout(2_000) }).then(
    () => 'serving' as const,
    () => undefined,
  )
}

async function request(url: string, method: string, body: object | Buffer | undefined, { project, roles }: Identity) {
  const bytes = Buffer.isBuffer(body)
  const type = bytes ? 'application/octet-stream' : method === 'PATCH' ? PATCH_TYPE : 'application/json'
  const answer = await fetch(url, {
    method,
    headers: {
      'x-identity-status': 'Confirmed',
      'x-user-id': 'somebody',
      'x-project-id': project,
      'x-roles': roles,
      ...(body && { 'content-type': type }),
    },
    ...(body && { body: bytes ? new Uint8Array(body) : JSON.stringify(body) }),
  })
  const content = await answer.text()
  expect(answer.status, `${method} ${url}: ${content}`).toBeLessThan(300)
  return content === '' ? {} : (JSON.parse(content) as Record<string, unknown>)
}

const PATCH_TYPE = 'application/openstack-images-v2.1-json-patch'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
