import { once } from 'node:events'
import { request as open } from 'node:http'
import { connect } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { randomBytes } from 'node:crypto'
import { defineStore, type StoreMap, type StoreSpec } from 'mullion'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { front } from '../pipeline/support.ts'
import { md5, readAnswer, request, startServer, type TestServer, uploaded } from '../v1/server.ts'

const settings = front(['gzip', 'versionnegotiation'])
const ACCEPT = { 'accept-encoding': 'gzip' }
const DATA = 'abcdefgh'.repeat(40_000)

/** As a client of Node reads it: transfer coding undone, content coding not. */
async function get(server: TestServer, path: string, headers: Record<string, string> = ACCEPT) {
  const sent = open(`${server.url}${path}`, { headers, agent: false }).end()
  const [response] = await once(sent, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }
}

describe('gzip (Images v1 §1.4)', () => {
  it('codes the data of an image as a stream without a length; what describes the data stays', async () => {
    const server = await startServer({ settings })
    const id = await uploaded(server, DATA)
    const { headers, body } = await get(server, `/v1/images/${id}`)
    expect(headers).toMatchObject({
      'content-encoding': 'gzip',
      'content-type': 'application/octet-stream',
      'x-image-meta-size': String(DATA.length),
      'x-image-meta-checksum': md5(DATA),
      vary: 'Accept-Encoding',
    })
    expect(headers).not.toHaveProperty('content-length')
    expect(body.length).toBeLessThan(DATA.length / 10)
    expect(gunzipSync(body).toString()).toBe(DATA)
    expect(server.notices.filter(({ event }) => event === 'send')).toMatchObject([{ failure: undefined }])
  })

  it('codes other answers whole', async () => {
    const server = await startServer({ settings })
    for (const path of ['/v1/images', '/versions', '/v1/nothing']) {
      const { headers, body } = await get(server, path)
      expect([headers['content-encoding'], headers['content-length']]).toEqual(['gzip', String(body.length)])
      expect(gunzipSync(body).toString()).toMatch(/^\{|^404/)
    }
  })

  it('codes a long list as it is sent', async () => {
    const server = await startServer({ settings })
    const headers = { 'x-image-meta-is_public': '1', 'x-image-meta-property-long': 'x'.repeat(12_000) }
    await Promise.all(Array.from({ length: 20 }, () => server.call('POST', '/v1/images', headers)))
    const answer = await get(server, '/v1/images/detail')
    expect([answer.headers['content-encoding'], answer.headers['content-length']]).toEqual(['gzip', undefined])
    expect(JSON.parse(gunzipSync(answer.body).toString()).images).toHaveLength(20)
  })

  it('codes nothing that is empty, an answer to HEAD, or nothing at all', async () => {
    const server = await startServer({ settings })
    const id = await uploaded(server, DATA)
    const head = await server.call('HEAD', `/v1/images/${id}`, ACCEPT)
    expect(head.headers).not.toHaveProperty('content-encoding')
    const removed = await server.call('DELETE', `/v1/images/${id}`, ACCEPT)
    expect([removed.status, removed.text, removed.headers['content-encoding']]).toEqual([200, '', undefined])
    const reserved = await server.call('POST', '/v1/images', {
      'x-image-meta-size': '0',
      'x-image-meta-disk_format': 'raw',
      'x-image-meta-container_format': 'bare',
    })
    const none = await server.call('GET', `/v1/images/${reserved.json.image.id}`, ACCEPT)
    expect([none.status, none.text, none.headers['content-encoding']]).toEqual([200, '', undefined])
  })

  it.each([
    ['gzip', true],
    ['deflate, GZIP;q=0.5', true],
    ['gzip;q=1.0', true],
    ['gzip;q=0', false],
    ['gzip; q=0.000', false],
    ['identity', false],
    ['x-gzipped', false],
    ['*', false],
    ['', false],
  ])('is asked for by %j: %j', async (accept, expected) => {
    const server = await startServer({ settings })
    const { headers } = await get(server, '/v1/images', { 'accept-encoding': accept })
    expect([headers['content-encoding'] === 'gzip', headers['vary']]).toEqual([expected, 'Accept-Encoding'])
  })

  it('tells caches on the way that image data may come either way', async () => {
    const server = await startServer({ settings })
    const id = await uploaded(server, DATA)
    const { headers, body } = await get(server, `/v1/images/${id}`, {})
    expect([headers['content-encoding'], headers['vary'], body.length]).toEqual([
      undefined,
      'Accept-Encoding',
      DATA.length,
    ])
  })

  it('leaves everything as it is without the step', async () => {
    const server = await startServer()
    const id = await uploaded(server, DATA)
    const { headers, body } = await get(server, `/v1/images/${id}`)
    expect([headers['content-encoding'], headers['vary'], body.length]).toEqual([undefined, undefined, DATA.length])
  })

  it('answers an early refusal coded too, and still reads what is under way', async () => {
    const server = await startServer({ settings: { ...settings, auth: 'trusted' } })
    const socket = connect(server.port, '127.0.0.1')
    socket.write(request('POST', '/v1/images', { ...ACCEPT, 'content-length': '1000000' }))
    socket.write(Buffer.alloc(100_000))
    const answer = await readAnswer(socket)
    expect([answer.status, answer.headers['content-encoding'], answer.headers['connection']]).toEqual([
      401,
      'gzip',
      'close',
    ])
    expect(gunzipSync(answer.body).toString()).toContain('401 Unauthorized')
  })
})

/** A store of which every object reads as this. */
function reading(body: () => AsyncIterable<Uint8Array>, size: number): StoreMap {
  const plugin = defineStore({
    name: 'reading',
    schemes: ['reading'],
    config: z.object({}),
    location: { parse: (uri: string) => uri, format: (key) => `reading://${key}` },
    open: () => ({
      read: async () => ({ body: body(), size }),
      stat: async () => ({ size }),
      write: async (key: string) => ({ at: key }),
    }),
  })
  return { reading: plugin({}) as StoreSpec<never> }
}

async function serving(
  body: () => AsyncIterable<Uint8Array>,
  size: number,
): Promise<{ server: TestServer; path: string }> {
  const server = await startServer({ settings, stores: reading(body, size) })
  const headers = { 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare' }
  const { id } = (await server.call('POST', '/v1/images', headers)).json.image
  const locations = [{ uri: 'reading://x', metadata: {}, status: 'active' as const }]
  await server.ports.images.update(id, { status: 'active', size, locations })
  return { server, path: `/v1/images/${id}` }
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await new Promise(setImmediate)
}

describe('a coded stream', () => {
  it('reads no faster than the client does, and lets go of the store when the client leaves', async () => {
    const state = { given: 0, released: false }
    const noise = randomBytes(1024 * 1024) // does not shrink
    async function* body(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          state.given += 1
          yield noise
        }
      } finally {
        state.released = true
      }
    }
    const { server, path } = await serving(body, 1024 ** 4)
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    socket.pause()
    socket.write(request('GET', path, ACCEPT))
    await until(() => state.given > 0)
    // the buffers fill, then nothing more is read; coding a piece takes some 30 ms
    await expect.poll(() => state.given, { interval: 500, timeout: 10_000 }).toSatisfy(stable())
    expect(state.given).toBeLessThan(64)
    socket.destroy()
    await until(() => state.released && server.notices.some(({ event }) => event === 'send'))
    expect(server.notices.at(-1)?.failure).toEqual(expect.any(String))
  })

  it('breaks off when the store does, so that nobody takes the beginning for the whole', async () => {
    async function* body(): AsyncGenerator<Uint8Array> {
      yield randomBytes(100_000)
      throw new Error('the disk is gone')
    }
    const { server, path } = await serving(body, 200_000)
    const socket = connect(server.port, '127.0.0.1')
    socket.write(request('GET', path, ACCEPT))
    const { status, octets } = await readAnswer(socket)
    expect(status).toBe(200)
    expect(octets.endsWith('0\r\n\r\n')).toBe(false)
  })
})

/** Whether a number is the same as when it was last looked at. */
function stable(): (value: number) => boolean {
  let before: number | undefined
  return (value) => {
    const isSame = value === before
    before = value
    return isSame
  }
}
