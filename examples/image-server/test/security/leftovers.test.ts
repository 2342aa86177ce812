import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { RequestListener } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type ImageRegistry, memoryRegistry } from 'mullion/images'
import { describe, expect, it, vi } from 'vitest'
import { chunked, identity, md5, RAW, readAnswer, request, reserved, type TestServer } from '../v1/server.ts'
import { COPY, FORMATS, overFiles, serving, startOrigin, work } from './scene.ts'

const owner = identity('t1', 'member')
const settings = { auth: 'trusted' } as const
const QUEUED = { ...owner, ...FORMATS }
const DATA = randomBytes(200_000)

describe('S-08 (CVE-2014-5356): the size cap', () => {
  const BIG = 'x'.repeat(11)
  const capped = { settings: { imageSizeCap: 10 } }

  it.each([
    ['with its length', {}, BIG, 400],
    ['chunked', { 'transfer-encoding': 'chunked' }, chunked('x'.repeat(6), 'x'.repeat(5)), 413],
    ['chunked in single bytes', { 'transfer-encoding': 'chunked' }, chunked(...Array.from(BIG)), 413],
    ['with a size that lies', { 'x-image-meta-size': '5' }, BIG, 400],
    ['chunked with a size that lies', { 'transfer-encoding': 'chunked', 'x-image-meta-size': '5' }, chunked(BIG), 413],
    ['with a size of 0', { 'transfer-encoding': 'chunked', 'x-image-meta-size': '0' }, chunked(BIG), 413],
  ])('holds for data that comes %s, by POST and by PUT', async (_how, headers, body, status) => {
    const { server, objects } = await overFiles(capped)
    const id = await reserved(server, FORMATS)
    const posted = await server.call('POST', '/v1/images', { ...RAW, ...headers }, body)
    const put = await server.call('PUT', `/v1/images/${id}`, { ...RAW, ...headers }, body)
    expect([posted.status, put.status]).toEqual([status, status])
    expect(objects()).toEqual([])
    expect((await server.image(id)).status).not.toBe('active')
  })

  it('lets exactly so many bytes in', async () => {
    const { server, objects } = await overFiles(capped)
    const answer = await server.call('POST', '/v1/images', RAW, 'x'.repeat(10))
    expect([answer.status, objects()]).toEqual([201, [answer.json.image.id]])
  })

  it.each([{}, { 'x-image-meta-size': '5' }])('holds for what is copied from elsewhere: %j', async (headers) => {
    const endless = await startOrigin(({ method }, response) => {
      response.writeHead(200)
      if (method === 'HEAD') response.end()
      else response.end(BIG)
    })
    const { server, objects } = await overFiles(capped)
    const answer = await server.call('POST', '/v1/images', { ...FORMATS, ...headers, [COPY]: endless.url })
    await work(server, { limit: 10 })
    expect((await server.image(answer.json.image.id)).status).toBe('killed')
    expect(objects()).toEqual([])
  })

  it('holds for a size that is only claimed', async () => {
    const { server } = await overFiles(capped)
    for (const size of ['11', '9007199254740993', '99999999999999999999', '1e1', '-1', '0x1']) {
      expect((await server.call('POST', '/v1/images', { ...FORMATS, 'x-image-meta-size': size })).status).toBe(400)
    }
    expect(server.notices).toEqual([])
  })
})

describe('S-11 (CVE-2014-9623): deleting while the data arrives', () => {
  /** Sends all but the last byte of an image, deletes the image, and sends the rest. */
  async function deletedMeanwhile(server: TestServer, end: (socket: Socket) => void): Promise<number> {
    const id = randomUUID()
    const socket = connect(server.port, '127.0.0.1')
    const octets = request('POST', '/v1/images', { ...owner, ...RAW, 'x-image-meta-id': id }, 'some data')
    socket.write(octets.subarray(0, -1))
    const saving = async (): Promise<boolean> => (await server.image(id).catch(() => undefined))?.status === 'saving'
    await vi.waitUntil(saving, { interval: 1, timeout: 10_000 })
    const deleted = await server.call('DELETE', `/v1/images/${id}`, owner)
    expect(deleted.status, deleted.octets).toBe(200)
    end(socket)
    const { status } = await readAnswer(socket)
    expect(await server.image(id)).toMatchObject({ status: 'deleted', locations: [] })
    return status
  }

  it('leaves nothing in the store and nothing of the quota used, a hundred times at once', async () => {
    const { server, objects } = await overFiles({ settings: { ...settings, storageQuota: 1000 } })
    const rounds = Array.from({ length: 100 }, () => deletedMeanwhile(server, (socket) => void socket.write('a')))
    expect(new Set(await Promise.all(rounds))).toEqual(new Set([412]))
    expect(objects()).toEqual([])
    expect(await server.ports.images.usage('t1')).toBe(0)
    expect(await server.ports.tasks.list()).toEqual([])
  })

  it('leaves nothing either when the sender then leaves', async () => {
    const { server, objects } = await overFiles({ settings })
    await deletedMeanwhile(server, (socket) => void socket.resetAndDestroy())
    await vi.waitUntil(async () => (await server.ports.tasks.list()).length === 0, { interval: 1 })
    expect(objects()).toEqual([])
  })

  it('leaves nothing at the worst moment either: the data is complete, the record is not yet', async () => {
    const registry = memoryRegistry()
    let remove = async (): Promise<unknown> => undefined
    const images: ImageRegistry = {
      ...registry.images,
      async update(id, patch, expected) {
        const image = await registry.images.update(id, patch, expected)
        if (patch.locations?.[0]?.status === 'pending') await remove()
        return image
      },
    }
    const { server, objects } = await overFiles({ settings, ports: { ...registry, images } })
    const id = randomUUID()
    remove = () => server.call('DELETE', `/v1/images/${id}`, owner)
    const answer = await server.call('POST', '/v1/images', { ...owner, ...RAW, 'x-image-meta-id': id }, 'some data')
    expect(answer.status).toBe(412)
    expect(await server.image(id)).toMatchObject({ status: 'deleted', locations: [] })
    expect([objects(), await server.ports.images.usage('t1')]).toEqual([[], 0])
  })
})

describe('S-12 (CVE-2014-9684, CVE-2015-1881), S-13 (CVE-2015-3289): deleting during a copy', () => {
  it.each(['before it begins', 'HEAD', 'the first byte', 'the middle', 'the last byte'])(
    'leaves nothing in the store: %s',
    async (moment) => {
      let remove = async (): Promise<unknown> => undefined
      const origin = await startOrigin((incoming, response) => {
        void interrupted(moment, () => remove())(incoming, response)
      })
      const { server, objects } = await overFiles({ settings })
      const copying = { ...QUEUED, 'x-image-meta-size': String(DATA.length), [COPY]: origin.url }
      const { id } = (await server.call('POST', '/v1/images', copying)).json.image
      remove = async () => {
        expect((await server.call('DELETE', `/v1/images/${id}`, owner)).status).toBe(200)
      }
      if (moment === 'before it begins') await remove()
      await work(server)
      expect(await server.image(id)).toMatchObject({ status: 'deleted', locations: [] })
      expect([objects(), await server.ports.tasks.list(), await server.ports.images.usage('t1')]).toEqual([[], [], 0])
    },
  )

  it('leaves nothing when the copy fails', async () => {
    const origin = await startOrigin(({ method }, response) => {
      response.setHeader('content-length', DATA.length)
      if (method === 'HEAD') response.end()
      else response.write(DATA.subarray(0, 1000), () => response.destroy())
    })
    const { server, objects } = await overFiles({ settings })
    const { id } = (await server.call('POST', '/v1/images', { ...QUEUED, [COPY]: origin.url })).json.image
    await work(server)
    expect(await server.image(id)).toMatchObject({ status: 'killed', locations: [] })
    expect([objects(), await server.ports.tasks.list(), await server.ports.images.usage('t1')]).toEqual([[], [], 0])
  })
})

/** Serves the data and calls `then` at a moment of it. */
function interrupted(moment: string, then: () => Promise<unknown>) {
  return async ({ method }: Parameters<RequestListener>[0], response: Parameters<RequestListener>[1]) => {
    if (method === 'HEAD') {
      if (moment === 'HEAD') await then()
      response.setHeader('content-length', DATA.length).end()
      return
    }
    response.setHeader('content-length', DATA.length)
    const at = { 'the first byte': 0, 'the middle': 100_000, 'the last byte': DATA.length - 1 }[moment] ?? 0
    response.write(DATA.subarray(0, at))
    if (moment.startsWith('the')) await then()
    response.end(DATA.subarray(at))
  }
}

describe('data that is not what was announced', () => {
  it.each([
    ['with less than its length', 'hello', false],
    ['with chunks that break off', '5\r\nhello\r\n', true],
    ['with a last chunk that is missing', '5\r\nhello\r\n0\r', true],
  ])('S-49 (LP 1885003): an upload %s is not taken for complete', async (_how, body, isChunked) => {
    const { server, objects } = await overFiles()
    const id = randomUUID()
    const length = isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': '100' }
    const socket = connect(server.port, '127.0.0.1')
    const head = request('POST', '/v1/images', { ...RAW, ...length, 'x-image-meta-id': id })
    socket.end(Buffer.concat([head, Buffer.from(body)]))
    socket.resume()
    await once(socket, 'close')
    await vi.waitUntil(async () => (await server.image(id).catch(() => undefined))?.status === 'killed', {
      interval: 1,
    })
    await vi.waitUntil(() => objects().length === 0, { interval: 1 })
    expect(await server.image(id)).toMatchObject({ locations: [] })
  })

  it.each([
    ['size', { 'x-image-meta-size': '3' }],
    ['checksum', { 'x-image-meta-checksum': md5('other') }],
  ])('S-71: of another %s leaves neither an object nor a location', async (_what, headers) => {
    const { server, objects } = await overFiles()
    const id = randomUUID()
    const all = { ...RAW, ...headers, 'x-image-meta-id': id }
    expect((await server.call('POST', '/v1/images', all, 'data')).status).toBe(400)
    expect(await server.image(id)).toMatchObject({ status: 'killed', locations: [] })
    expect(objects()).toEqual([])
    expect((await server.call('GET', `/v1/images/${id}`)).status).toBe(404)
  })

  it('S-71: of another size or checksum, copied from elsewhere, neither', async () => {
    const origin = await startOrigin(serving('data'))
    const { server, objects } = await overFiles()
    const headers = { ...FORMATS, 'x-image-meta-checksum': md5('other'), [COPY]: origin.url }
    const { id } = (await server.call('POST', '/v1/images', headers)).json.image
    await work(server)
    expect(await server.image(id)).toMatchObject({ status: 'killed', locations: [] })
    expect(objects()).toEqual([])
  })
})

describe('S-44 (LP 1412802): every byte arrives, whatever pieces it comes in', () => {
  it.each([1, 7, 511, 512, 4097])('of %i', async (size) => {
    const data = DATA.subarray(0, size * 3000)
    const pieces = Array.from({ length: Math.ceil(data.length / size) }, (_, at) =>
      data.subarray(at * size, (at + 1) * size),
    )
    const origin = await startOrigin(({ method }, response) => {
      for (const piece of method === 'HEAD' ? [] : pieces) response.write(piece)
      response.end()
    })
    const { server } = await overFiles()
    const framed = pieces.flatMap((piece) => [
      Buffer.from(`${piece.length.toString(16)}\r\n`),
      piece,
      Buffer.from('\r\n'),
    ])
    const body = Buffer.concat([...framed, Buffer.from('0\r\n\r\n')])
    const sent = await server.call('POST', '/v1/images', { ...RAW, 'transfer-encoding': 'chunked' }, body)
    const copied = await server.call('POST', '/v1/images', { ...FORMATS, [COPY]: origin.url })
    await work(server)
    for (const { json } of [sent, copied]) {
      expect(await server.image(json.image.id)).toMatchObject({ size: data.length, checksum: md5(data) })
      expect((await server.call('GET', `/v1/images/${json.image.id}`)).body.equals(data)).toBe(true)
    }
  })
})

it('S-81: data is never stored over data that is there', async () => {
  const { server, images } = await overFiles()
  const id = randomUUID()
  await server.ports.stores.add(id, Buffer.from('first'))
  const answer = await server.call('POST', '/v1/images', { ...RAW, 'x-image-meta-id': id }, 'second')
  expect(answer.status).toBe(409)
  expect(await server.image(id)).toMatchObject({ status: 'queued', locations: [] })
  expect(await server.ports.stores.getSizeFromBackend(`file://${images}/${id}`)).toBe(5)
})
