import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { answerOf, beginUpload, filesBelow, idsIn, META, OCTETS, send, statusOf, untilStatus } from './client.ts'
import { killAll, start } from './server-process.ts'
import { slowOrigin, type SlowOrigin } from './slow-origin.ts'

const MIB = 1024 * 1024
let directory: string
let origin: SlowOrigin
const bytes = randomBytes(4 * MIB)
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mullion-process-'))
  origin = await slowOrigin(bytes)
})
afterEach(async () => {
  await killAll()
  await origin.close()
  rmSync(directory, { recursive: true, force: true })
})

const launch = (env: Readonly<Record<string, string>> = {}) =>
  start({ MULLION_DATA_DIR: directory, ...origin.env, ...env })
const images = () => filesBelow(join(directory, 'images'))

async function copyFrom(url: string): Promise<string> {
  const { status, body } = await send('POST', `${url}/v1/images`, { ...META, 'x-glance-api-copy-from': origin.url })
  expect(status).toBe(201)
  return (JSON.parse(body.toString()) as { image: { id: string } }).image.id
}

async function bytesOf(url: string, id: string): Promise<Buffer> {
  return (await send('GET', `${url}/v1/images/${id}`)).body
}

describe('SIGTERM', { timeout: 40_000 }, () => {
  it('lets an upload end and answers it, while nobody new gets in', async () => {
    const server = await launch()
    const { id, outgoing, answer } = await beginUpload(server.url, 2 * MIB, bytes.subarray(0, MIB))
    server.kill('SIGTERM')
    await vi.waitUntil(() => server.log().includes('stopping'))
    await expect(send('GET', `${server.url}/v1/images`)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    outgoing.end(bytes.subarray(MIB, 2 * MIB))
    expect(await answer).toMatchObject({ status: 201 })
    expect((await server.ended).code).toBe(0)

    const again = await launch()
    expect((await bytesOf(again.url, id)).equals(bytes.subarray(0, 2 * MIB))).toBe(true)
  })

  it('aborts an upload that does not end in time: the image is killed, its data removed, the exit in order', async () => {
    const server = await launch({ MULLION_SHUTDOWN_GRACE: '0.1' })
    const { id, outgoing, answer } = await beginUpload(server.url, 2 * MIB, bytes.subarray(0, MIB))
    server.kill('SIGTERM')
    const end = await server.ended
    expect(end.code).toBe(0)
    expect(end.stderr).toContain('aborting the transfers that still run')
    expect(await answer).toMatchObject({ status: 503 })
    outgoing.destroy()
    expect(images()).toEqual([])

    const again = await launch()
    expect(await statusOf(again.url, id)).toBe('killed')
    expect(again.log()).not.toContain('interrupted')
  })

  it('lets a copy end', async () => {
    const server = await launch()
    const id = await copyFrom(server.url)
    await origin.halfSent()
    server.kill('SIGTERM')
    await vi.waitUntil(() => server.log().includes('stopping'))
    origin.open()
    expect((await server.ended).code).toBe(0)

    const again = await launch()
    expect(await statusOf(again.url, id)).toBe('active')
    expect((await bytesOf(again.url, id)).equals(bytes)).toBe(true)
  })

  it('gives a copy back that does not end in time: the next start does it', async () => {
    const server = await launch({ MULLION_SHUTDOWN_GRACE: '0.1' })
    const id = await copyFrom(server.url)
    await origin.halfSent()
    server.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)

    origin.open()
    const again = await launch()
    await untilStatus(again.url, id, 'active')
    expect((await bytesOf(again.url, id)).equals(bytes)).toBe(true)
    expect(images()).toHaveLength(1)
  })

  it('cuts off a reader who does not read', async () => {
    const big = Buffer.alloc(32 * MIB)
    const server = await launch({ MULLION_SHUTDOWN_GRACE: '0.1' })
    const created = await send('POST', `${server.url}/v1/images`, { ...OCTETS, ...META }, big)
    const { id } = (JSON.parse(created.body.toString()) as { image: { id: string } }).image
    const reader = request(`${server.url}/v1/images/${id}`, { agent: false }).end()
    const [incoming] = (await once(reader, 'response')) as [IncomingMessage]
    incoming.pause().on('error', () => {})
    server.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
    incoming.destroy()
  })

  it('does not wait for connections that are only kept open', async () => {
    const server = await launch({ MULLION_SHUTDOWN_GRACE: '30' })
    const agent = new Agent({ keepAlive: true })
    const answer = await answerOf(request(`${server.url}/v1/images`, { agent }).end())
    expect(answer.headers.connection).toBe('keep-alive')
    const begin = performance.now()
    server.kill('SIGTERM')
    expect((await server.ended).code).toBe(0)
    expect(performance.now() - begin).toBeLessThan(10_000)
    agent.destroy()
  })

  it('sent twice ends the process at once; the next start repairs', async () => {
    const server = await launch()
    const { id, outgoing } = await beginUpload(server.url, 2 * MIB, bytes.subarray(0, MIB))
    server.kill('SIGTERM')
    await vi.waitUntil(() => server.log().includes('stopping'))
    server.kill('SIGINT')
    expect(await server.ended).toMatchObject({ code: 1 })
    outgoing.destroy()

    const again = await launch()
    expect(await statusOf(again.url, id)).toBe('killed')
    expect(images()).toEqual([])
  })
})

describe('SIGKILL', { timeout: 40_000 }, () => {
  it('in the middle of an upload leaves nothing in saving and no partial file after the next start', async () => {
    const server = await launch()
    const { id, outgoing } = await beginUpload(server.url, 2 * MIB, bytes.subarray(0, MIB))
    await vi.waitUntil(() => images().length > 0)
    server.kill('SIGKILL')
    expect(await server.ended).toMatchObject({ signal: 'SIGKILL' })
    outgoing.destroy()

    const again = await launch()
    expect(await statusOf(again.url, id)).toBe('killed')
    expect(await idsIn(again.url, 'saving')).toEqual([])
    expect(images()).toEqual([])
    expect(again.log()).toContain('the upload of an image was interrupted')
  })

  it('in the middle of a copy leads to the whole copy after the next start', async () => {
    const server = await launch()
    const id = await copyFrom(server.url)
    await origin.halfSent()
    await untilStatus(server.url, id, 'saving')
    await vi.waitUntil(() => images().length > 0)
    server.kill('SIGKILL')
    await server.ended

    origin.open()
    const again = await launch()
    await untilStatus(again.url, id, 'active')
    expect((await bytesOf(again.url, id)).equals(bytes)).toBe(true)
    expect(await idsIn(again.url, 'saving')).toEqual([])
    expect(images()).toHaveLength(1)
  })

  it('in the middle of a copy whose origin is gone by then leads to killed', async () => {
    const server = await launch()
    const id = await copyFrom(server.url)
    await origin.halfSent()
    server.kill('SIGKILL')
    await server.ended
    await origin.close()

    const again = await launch()
    await untilStatus(again.url, id, 'killed')
    expect(images()).toEqual([])
    origin = await slowOrigin(bytes)
  })
})
