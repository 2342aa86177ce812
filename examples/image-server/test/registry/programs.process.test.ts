import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { beginUpload, filesBelow, idsIn, META, OCTETS, send, statusOf, untilStatus } from '../process/client.ts'
import { killAll, run, type ServerProcess, start } from '../process/server-process.ts'
import { slowOrigin } from '../process/slow-origin.ts'
import { killRegistries, type RegistryProcess, runRegistry, startRegistryProcess } from './registry-process.ts'

const TOKEN = 'a-token-of-this-test-alone'
const KEY = Buffer.alloc(32, 3).toString('base64')

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mullion-registry-'))
})
afterEach(async () => {
  await killAll()
  await killRegistries()
  rmSync(directory, { recursive: true, force: true })
})

const keep = (port = '0'): Promise<RegistryProcess> =>
  startRegistryProcess({ MULLION_DATA_DIR: join(directory, 'registry'), MULLION_REGISTRY_PORT: port })

const serve = (registry: RegistryProcess, env: Record<string, string> = {}): Promise<ServerProcess> =>
  start({
    MULLION_DATA_DIR: join(directory, 'server'),
    MULLION_REGISTRY_URL: registry.url,
    MULLION_REGISTRY_ENCRYPTION_KEYS: `k1=${KEY}`,
    ...env,
  })

const database = (): string =>
  filesBelow(join(directory, 'registry'))
    .map((file) => readFileSync(file, 'latin1'))
    .join('')

async function created(url: string, headers: Record<string, string>, body?: Uint8Array): Promise<string> {
  const answer = await send('POST', `${url}/v1/images`, { ...META, ...headers }, body)
  expect([answer.status, answer.body.toString()]).toEqual([201, expect.anything()])
  return (JSON.parse(answer.body.toString()) as { image: { id: string } }).image.id
}

describe('an image server on a registry of its own', { timeout: 60_000 }, () => {
  it('takes in images in all four ways, and the registry learns of no place and no password', async () => {
    const bytes = randomBytes(100_000)
    const origin = await slowOrigin(bytes)
    origin.open()
    const secret = origin.url.replace('//', '//user:hunter2@')
    const registry = await keep()
    const server = await serve(registry, origin.env)
    const uploaded = await created(server.url, OCTETS, bytes)
    const copied = await created(server.url, { 'x-glance-api-copy-from': secret })
    const registered = await created(server.url, { 'x-image-meta-location': secret })
    const reserved = await created(server.url, {})
    expect((await send('PUT', `${server.url}/v1/images/${reserved}`, OCTETS, bytes)).status).toBe(200)
    await untilStatus(server.url, copied, 'active')
    for (const id of [uploaded, copied, registered, reserved]) {
      const { status, body } = await send('GET', `${server.url}/v1/images/${id}`)
      expect([status, body.equals(bytes)]).toEqual([200, true])
    }
    expect((await send('DELETE', `${server.url}/v1/images/${uploaded}`)).status).toBe(200)
    expect((await send('GET', `${server.url}/v1/images/${uploaded}`)).status).toBe(404)
    expect(existsSync(join(directory, 'server', 'registry.sqlite'))).toBe(false)
    const kept = database()
    expect(kept).toContain(registered)
    expect(kept).toContain('v1:k1:')
    expect(kept).not.toContain('hunter2')
    expect(kept).not.toContain('file://')
    for (const log of [server.log(), registry.log()]) expect(log).not.toContain('hunter2')
    server.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
    registry.kill('SIGTERM')
    expect((await registry.ended).code).toBe(0)
    await origin.close()
  })

  it('answers 503 while the registry is away, and ends in order what that interrupted', async () => {
    const registry = await keep()
    const server = await serve(registry)
    const bytes = randomBytes(200_000)
    const before = await created(server.url, OCTETS, bytes)
    const { id, outgoing, answer } = await beginUpload(server.url, bytes.length, bytes.subarray(0, 1000))
    registry.kill('SIGKILL')
    await registry.ended
    expect((await send('GET', `${server.url}/v1/images/${before}`)).status).toBe(503)
    expect((await send('GET', `${server.url}/v1/images/detail`)).status).toBe(503)
    expect((await send('POST', `${server.url}/v1/images`, { ...META, ...OCTETS }, bytes)).status).toBe(503)
    expect((await send('DELETE', `${server.url}/v1/images/${before}`)).status).toBe(503)
    outgoing.end(bytes.subarray(1000))
    expect((await answer)?.status).toBe(503)

    await keep(String(registry.port))
    expect((await send('GET', `${server.url}/v1/images/${before}`)).body.equals(bytes)).toBe(true)
    expect((await send('GET', `${server.url}/v1/images/${id}`)).status).toBe(404)
    const later = await created(server.url, OCTETS, bytes)
    server.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
    const again = await serve({ ...registry })
    expect(await statusOf(again.url, id)).toBe('killed')
    const images = filesBelow(join(directory, 'server', 'images'))
    expect(images).toHaveLength(2)
    for (const image of [before, later]) expect(images.some((file) => file.includes(image))).toBe(true)
  })

  it('keeps what it said it kept, however often the registry is killed', { timeout: 120_000 }, async () => {
    let registry = await keep()
    const server = await serve(registry)
    const outcomes = new Map<string, { readonly bytes: Buffer; readonly status: number }>()
    let left = 40
    let back: Promise<void> | undefined
    const restart = async (): Promise<void> => {
      registry.kill('SIGKILL')
      await registry.ended
      registry = await keep(String(registry.port))
    }
    const uploading = Array.from({ length: 4 }, async () => {
      while (left-- > 0) {
        const [id, bytes] = [randomUUID(), randomBytes(20_000)]
        const headers = { ...META, ...OCTETS, 'x-image-meta-id': id }
        const { status } = await send('POST', `${server.url}/v1/images`, headers, bytes)
        outcomes.set(id, { bytes, status })
        if (status !== 201) await back
      }
    })
    for (const seen of [8, 18, 28]) {
      await vi.waitUntil(() => outcomes.size >= seen, { interval: 2, timeout: 20_000 })
      back = restart()
      await back
    }
    await Promise.all(uploading)
    expect(new Set([...outcomes.values()].map(({ status }) => status))).toEqual(new Set([201, 503]))
    server.kill('SIGTERM')
    await server.ended

    const again = await serve(registry, { MULLION_LIMITS_LIMIT_PARAM_DEFAULT: '100' })
    expect(await idsIn(again.url, 'saving')).toEqual([])
    const active = new Set(await idsIn(again.url, 'active'))
    expect(active.size).toBeGreaterThan(20)
    for (const [id, { bytes, status }] of outcomes) {
      if (status === 201) expect(active).toContain(id)
      if (!active.has(id)) continue
      expect((await send('GET', `${again.url}/v1/images/${id}`)).body.equals(bytes)).toBe(true)
    }
    expect(filesBelow(join(directory, 'server', 'images'))).toHaveLength(active.size)
  })

  it('does not start while the registry is away, and says so', async () => {
    const registry = await keep()
    registry.kill('SIGTERM')
    await registry.ended
    const env = { MULLION_DATA_DIR: join(directory, 'server'), MULLION_REGISTRY_URL: registry.url }
    const { code, stderr } = await run([], { ...env, MULLION_PORT: '0' })
    expect([code, stderr]).toEqual([1, 'mullion-image-server: registry: the connection failed: ECONNREFUSED\n'])
  })

  it('with another key gives out nothing, and names the key that is missing', async () => {
    const registry = await keep()
    const first = await serve(registry)
    const bytes = randomBytes(1000)
    const id = await created(first.url, OCTETS, bytes)
    first.kill('SIGTERM')
    await first.ended
    const other = `k2=${Buffer.alloc(32, 4).toString('base64')}`
    const second = await serve(registry, { MULLION_REGISTRY_ENCRYPTION_KEYS: other })
    expect((await send('GET', `${second.url}/v1/images/${id}`)).status).toBe(500)
    expect(second.log()).toContain('is encrypted with key \\"k1\\", which is not configured')
    second.kill('SIGTERM')
    await second.ended
    const both = await serve(registry, { MULLION_REGISTRY_ENCRYPTION_KEYS: `${other},k1=${KEY}` })
    expect((await send('GET', `${both.url}/v1/images/${id}`)).body.equals(bytes)).toBe(true)
  })
})

describe('a registry that knows tokens', { timeout: 60_000 }, () => {
  it('lets in the server that has one', async () => {
    const entry = `{ token = "${TOKEN}", user = "images", roles = ["admin"] }`
    const file = join(directory, 'registry.toml')
    writeFileSync(file, `[pipeline]\nflavour = "tokens"\n[auth]\ntokens = [${entry}]\n`)
    const registry = await startRegistryProcess({
      MULLION_CONFIG: file,
      MULLION_DATA_DIR: join(directory, 'registry'),
    })
    const stranger = await run([], {
      MULLION_DATA_DIR: join(directory, 'server'),
      MULLION_REGISTRY_URL: registry.url,
      MULLION_PORT: '0',
    })
    expect(stranger.stderr).toBe('mullion-image-server: registry: it does not accept the credentials\n')
    const server = await serve(registry, { MULLION_REGISTRY_AUTH: 'token', MULLION_REGISTRY_TOKEN: TOKEN })
    const id = await created(server.url, OCTETS, randomBytes(10))
    await vi.waitUntil(async () => (await statusOf(server.url, id)) === 'active')
    for (const log of [server.log(), registry.log()]) expect(log).not.toContain(TOKEN)
  })
})

describe('the program mullion-registry', { timeout: 30_000 }, () => {
  it('prints help, and says whether a configuration is good', async () => {
    expect((await runRegistry(['--help'])).stdout).toContain('mullion-registry [--config FILE]')
    expect(await runRegistry(['--check-config'])).toMatchObject({ code: 0, stdout: 'the configuration is good\n' })
    const wrong = await runRegistry(['--check-config'], { MULLION_REGISTRY_URL: 'http://127.0.0.1:1' })
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('registry.url') as string })
    expect(await runRegistry(['--nonsense'])).toMatchObject({ code: 2 })
  })

  it('names the registry that has the data directory already, and a port that is in use', async () => {
    const registry = await keep()
    const env = { MULLION_DATA_DIR: join(directory, 'registry'), MULLION_REGISTRY_PORT: '0' }
    expect((await runRegistry([], env)).stderr).toMatch(/^mullion-registry: data directory .*: another server uses it/)
    const taken = { MULLION_DATA_DIR: join(directory, 'other'), MULLION_REGISTRY_PORT: String(registry.port) }
    expect((await runRegistry([], taken)).stderr).toBe(
      `mullion-registry: cannot listen on 127.0.0.1:${registry.port}: the port is in use ` +
        '(another: registry.port, or MULLION_REGISTRY_PORT)\n',
    )
  })
})
