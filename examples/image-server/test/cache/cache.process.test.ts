import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { get as httpGet, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from './rig.ts'
import { filesBelow, META, send } from '../process/client.ts'
import { killAll, run, type ServerProcess, start } from '../process/server-process.ts'
import { type SlowOrigin, slowOrigin } from '../process/slow-origin.ts'

const MIB = 1024 * 1024
let directory: string
let origin: SlowOrigin | undefined
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'mullion-process-'))
})
afterEach(async () => {
  await killAll()
  await origin?.close()
  rmSync(directory, { recursive: true, force: true })
})

/** A server, and the path of an image whose data another server has. */
async function serving(bytes: Buffer, env: Record<string, string> = {}): Promise<[ServerProcess, path: string]> {
  origin = await slowOrigin(bytes)
  const server = await launch(env)
  const checksum = createHash('md5').update(bytes).digest('hex')
  const headers = { ...META, 'x-image-meta-location': origin.url, 'x-image-meta-checksum': checksum }
  const { status, body } = await send('POST', `${server.url}/v1/images`, headers)
  expect(status, body.toString()).toBe(201)
  return [server, `/v1/images/${(JSON.parse(body.toString()) as { image: { id: string } }).image.id}`]
}

function launch(env: Record<string, string> = {}): Promise<ServerProcess> {
  const flavour = { MULLION_PIPELINE_FLAVOUR: 'cachemanagement', MULLION_CACHE_MIN_FREE: '0' }
  return start({ MULLION_DATA_DIR: directory, ...flavour, ...origin?.env, ...env })
}

const cacheFiles = () => filesBelow(join(directory, 'cache')).filter((name) => /\.(image|part)$/.test(name))

async function cachedImages(server: ServerProcess): Promise<unknown[]> {
  const { body } = await send('GET', `${server.url}/v1/cached_images`)
  return (JSON.parse(body.toString()) as { cached_images: unknown[] }).cached_images
}

/** A client that takes the first bytes and then no more. */
async function lazyClient(url: string): Promise<IncomingMessage> {
  const request = httpGet(url, { agent: false })
  request.on('error', () => {})
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  answer.on('error', () => {})
  answer.pause()
  return answer
}

describe('the cache of a server', { timeout: 60_000 }, () => {
  it('has nothing half left of a server that was killed while it got an image', async () => {
    const bytes = randomBytes(4 * MIB)
    const [server, path] = await serving(bytes)
    const reading = send('GET', `${server.url}${path}`).catch(() => undefined)
    await origin?.halfSent()
    await until(() => cacheFiles().length === 1)
    server.kill('SIGKILL')
    await server.ended
    expect(await reading).toBeUndefined()
    expect(cacheFiles()).toEqual([expect.stringMatching(/\.part$/)])

    const again = await launch()
    expect(cacheFiles()).toEqual([])
    origin?.open()
    expect((await send('GET', `${again.url}${path}`)).body.equals(bytes)).toBe(true)
    await until(async () => (await cachedImages(again)).length === 1)
  })

  it('serves what it has after a restart, when nobody else has it any more', async () => {
    const bytes = randomBytes(4 * MIB)
    const [server, path] = await serving(bytes)
    origin?.open()
    expect((await send('GET', `${server.url}${path}`)).body.equals(bytes)).toBe(true)
    await until(async () => (await cachedImages(server)).length === 1)
    server.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
    await origin?.close()
    const again = await launch()
    expect((await send('GET', `${again.url}${path}`)).body.equals(bytes)).toBe(true)
    expect(await cachedImages(again)).toMatchObject([{ hits: 1, size: bytes.length }])
  })

  it('gets what is queued', async () => {
    const [server, path] = await serving(randomBytes(MIB))
    origin?.open()
    const queue = `${server.url}/v1/queued_images`
    expect((await send('PUT', `${queue}/${path.split('/').at(-1)}`)).status).toBe(200)
    await until(async () => (await cachedImages(server)).length === 1)
    await until(async () => (await send('GET', queue)).body.toString() === '{"queued_images":[]}')
  })

  it('ends in order when the server stops while it gets an image', async () => {
    const [server, path] = await serving(randomBytes(4 * MIB), { MULLION_SHUTDOWN_GRACE: '0.1' })
    const reading = send('GET', `${server.url}${path}`).catch(() => undefined)
    await origin?.halfSent()
    await until(() => cacheFiles().length === 1)
    server.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
    expect(await reading).toBeUndefined()
    expect(cacheFiles()).toEqual([])
  })

  it('is for one server only', async () => {
    const cache = join(directory, 'shared')
    const first = await launch({ MULLION_CACHE_DIR: cache })
    const other = { MULLION_DATA_DIR: join(directory, 'other'), MULLION_PIPELINE_FLAVOUR: 'caching' }
    expect(await run([], { ...other, MULLION_CACHE_DIR: cache, MULLION_PORT: '0' })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`cache directory ${cache}: another server uses it`) as string,
    })
    expect((await send('GET', `${first.url}/v1/cached_images`)).status).toBe(200)
  })

  it('is not there in a pipeline without one', async () => {
    const server = await launch({ MULLION_PIPELINE_FLAVOUR: '' })
    expect((await send('GET', `${server.url}/v1/cached_images`)).status).toBe(404)
    expect(cacheDirectories()).toEqual([])
  })

  it('holds little in memory, however slow its readers are', async () => {
    const bytes = Buffer.alloc(256 * MIB, randomBytes(MIB))
    const [server, path] = await serving(bytes)
    origin?.open()
    const before = peakMemory(server)
    const slow = await Promise.all(Array.from({ length: 8 }, () => lazyClient(`${server.url}${path}`)))
    const read = await send('GET', `${server.url}${path}`)
    expect(read.body.length).toBe(bytes.length)
    await until(async () => (await cachedImages(server)).length === 1)
    for (const client of slow) client.destroy()
    expect(peakMemory(server) - before).toBeLessThan(96 * MIB)
  })
})

const cacheDirectories = () => filesBelow(directory).filter((name) => name.includes('/cache/'))

/** VmHWM of proc(5), in bytes. */
function peakMemory({ child }: ServerProcess): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]
  return Number(kib) * 1024
}
