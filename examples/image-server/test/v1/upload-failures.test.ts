import { connect } from 'node:net'
import { http } from '@mullion/http'
import {
  defineStore,
  type ErrorCode,
  memory,
  type StoreMap,
  type Stores,
  type StoreSpec,
  type WriteOptions,
} from 'mullion'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { chunked, md5, RAW, readAnswer, request, startServer, type TestServer } from './server.ts'

const ID = '0b4d2a3c-7c2f-4a53-9d2b-1f1c5a8e9f10'
const UPLOAD = { ...RAW, 'x-image-meta-id': ID }

/** A store that takes `after` bytes and then fails as a file system does. */
function failing(code: string, after = 0): StoreSpec<never> {
  const plugin = defineStore({
    name: 'failing',
    schemes: ['failing'],
    config: z.object({}),
    location: { parse: (uri: string) => uri.slice('failing://'.length), format: (key) => `failing://${key}` },
    capabilities: { atomicWrite: true },
    classify: (error) => CODES[(error as NodeJS.ErrnoException).code ?? ''],
    open: () => ({
      read: () => Promise.reject(Object.assign(new Error('gone'), { code: 'ENOENT' })),
      stat: () => Promise.reject(Object.assign(new Error('gone'), { code: 'ENOENT' })),
      async write(_key: string, body: AsyncIterable<Uint8Array>, _options: WriteOptions<string>) {
        let taken = 0
        for await (const chunk of body) if ((taken += chunk.byteLength) > after) break
        throw Object.assign(new Error(`${code}: /srv/images/secret`), { code })
      },
    }),
  })
  return plugin({}) as StoreSpec<never>
}

const CODES: Record<string, ErrorCode> = {
  EAGAIN: 'unavailable',
  EBUSY: 'rate_limited',
  ETIMEDOUT: 'timeout',
  ENOSPC: 'storage_full',
  EACCES: 'permission_denied',
  ENOENT: 'not_found',
}

function withStore(store: StoreSpec<never>): { readonly stores: StoreMap } {
  return { stores: { failing: store } }
}

function lastNotice(server: TestServer): readonly [string, boolean] | undefined {
  const notice = server.notices.at(-1)
  return notice && [notice.event, notice.failure !== undefined]
}

describe('a failed upload (Images v1 §8.2)', () => {
  it.each([
    ['storage full', failing('ENOSPC', 2), 413, 'Image storage media is full: '],
    ['no write permission', failing('EACCES'), 503, 'Insufficient permissions on image storage media: '],
    ['a store that cannot be reached', failing('EAGAIN'), 503, 'Image storage media is unavailable: '],
    ['a store that asks for fewer calls', failing('EBUSY'), 503, 'Image storage media is unavailable: '],
    ['a store that is stuck', failing('ETIMEDOUT'), 503, 'Image storage media is unavailable: '],
    ['anything else', failing('EIO'), 500, `Failed to upload image ${ID}`],
  ])('%s: the image is killed, and no path is told', async (_cause, store, status, text) => {
    const server = await startServer(withStore(store))
    const answer = await server.call('POST', '/v1/images', UPLOAD, 'some data')
    expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(text)])
    expect(answer.octets).not.toContain('/srv')
    expect(await server.image(ID)).toMatchObject({ status: 'killed', locations: [] })
    expect(lastNotice(server)).toEqual(['upload', true])
  })

  it('a store that cannot be written to: 410, killed', async () => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', { ...UPLOAD, 'x-image-meta-store': 'http' }, 'data')
    const text = 'Error in store configuration. Adding images to store is disabled.'
    expect([answer.status, answer.text]).toEqual([410, expect.stringContaining(text)])
    expect(await server.image(ID)).toMatchObject({ status: 'killed' })
  })

  it('data for this id is in the store already: 409, the data is kept', async () => {
    const server = await startServer()
    await server.ports.stores.add(ID, Buffer.from('first'))
    const answer = await server.call('POST', '/v1/images', UPLOAD, 'second')
    expect([answer.status, answer.text]).toEqual([
      409,
      expect.stringContaining(`Attempt to upload duplicate image: ${ID}`),
    ])
    expect(await server.ports.stores.getSizeFromBackend(`memory://${ID}`)).toBe(5)
  })

  it('a stream longer than the cap: 413, killed, nothing stored', async () => {
    const server = await startServer({ settings: { imageSizeCap: 4 } })
    const answer = await server.call(
      'POST',
      '/v1/images',
      { ...UPLOAD, 'transfer-encoding': 'chunked' },
      chunked('abc', 'def'),
    )
    const text = 'Denying attempt to upload image larger than 4 bytes.'
    expect([answer.status, answer.text]).toEqual([413, expect.stringContaining(text)])
    expect(await server.image(ID)).toMatchObject({ status: 'killed' })
    await expect(server.ports.stores.getSizeFromBackend(`memory://${ID}`)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('a chunked stream past the cap that claims a small size: killed all the same', async () => {
    const server = await startServer({ settings: { imageSizeCap: 4 } })
    const headers = { ...UPLOAD, 'transfer-encoding': 'chunked', 'x-image-meta-size': '2' }
    expect((await server.call('POST', '/v1/images', headers, chunked('abcdef'))).status).toBeGreaterThanOrEqual(400)
    expect(await server.image(ID)).toMatchObject({ status: 'killed' })
  })

  it('another size than supplied: 400, killed, data removed', async () => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', { ...UPLOAD, 'x-image-meta-size': '5' }, 'hello world')
    const text =
      "Supplied size (5) and size generated from uploaded image (11) did not match. Setting image status to 'killed'."
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(text)])
    expect(await server.image(ID)).toMatchObject({ status: 'killed', size: 5 })
    await expect(server.ports.stores.getSizeFromBackend(`memory://${ID}`)).rejects.toMatchObject({ code: 'not_found' })
  })

  it.each(['0'.repeat(32), md5('data').toUpperCase()])(
    'another checksum than supplied (%s): 400, killed',
    async (checksum) => {
      const server = await startServer()
      const answer = await server.call('POST', '/v1/images', { ...UPLOAD, 'x-image-meta-checksum': checksum }, 'data')
      const text =
        `Supplied checksum (${checksum}) and checksum generated from uploaded image (${md5('data')}) did not match. ` +
        "Setting image status to 'killed'."
      expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(text)])
      expect(await server.image(ID)).toMatchObject({ status: 'killed', checksum })
    },
  )

  it('the right checksum and a size of 0 are no mismatch', async () => {
    const server = await startServer()
    const headers = { ...UPLOAD, 'x-image-meta-checksum': md5('data'), 'x-image-meta-size': '0' }
    expect((await server.call('POST', '/v1/images', headers, 'data')).json.image).toMatchObject({
      status: 'active',
      size: 4,
    })
  })

  it('the server stops: 503, killed with that reason, the data is removed', async () => {
    const stopping = new AbortController()
    const server = await startServer({ ports: { stopping: stopping.signal } })
    const socket = connect(server.port, '127.0.0.1')
    const octets = request('POST', '/v1/images', UPLOAD, 'hello world')
    socket.write(octets.subarray(0, -5))
    await vi.waitUntil(() => server.notices.at(-1)?.event === 'prepare', { interval: 1 })
    stopping.abort()
    const reason = 'the server stopped during the upload'
    const answer = await readAnswer(socket)
    expect([answer.status, answer.text]).toEqual([503, expect.stringContaining(reason)])
    expect(await server.image(ID)).toMatchObject({ status: 'killed', reason, locations: [] })
    expect(server.notices.at(-1)).toMatchObject({ event: 'upload', failure: reason })
    await expect(server.ports.stores.getSizeFromBackend(`memory://${ID}`)).rejects.toMatchObject({ code: 'not_found' })
  })

  it('the stores closed: 503', async () => {
    const server = await startServer()
    await (server.ports.stores as Stores).close()
    const answer = await server.call('POST', '/v1/images', UPLOAD, 'data')
    expect([answer.status, answer.text]).toEqual([503, expect.stringContaining('Image storage media is unavailable: ')])
    expect(await server.image(ID)).toMatchObject({ status: 'killed' })
  })

  it('the image deleted meanwhile: 412, the data is removed, the image stays deleted', async () => {
    const stores: StoreMap = { memory: memory(), http: http() }
    const server = await startServer({ stores })
    const deleted: Promise<unknown>[] = []
    Object.assign(server.ports.notifier, {
      notify: (event: string) => {
        if (event === 'prepare') deleted.push(server.call('DELETE', `/v1/images/${ID}`))
      },
    })
    const socket = connect(server.port, '127.0.0.1')
    const octets = request('POST', '/v1/images', UPLOAD, 'hello world')
    socket.write(octets.subarray(0, -5))
    while (deleted.length === 0) await new Promise(setImmediate)
    await deleted[0]
    socket.write(octets.subarray(-5))
    const answer = await readAnswer(socket)
    const text = `Image ${ID} could not be found after upload. The image may have been deleted during the upload.`
    expect([answer.status, answer.text]).toEqual([412, expect.stringContaining(text)])
    expect(await server.image(ID)).toMatchObject({ status: 'deleted' })
    await expect(server.ports.stores.getSizeFromBackend(`memory://${ID}`)).rejects.toMatchObject({ code: 'not_found' })
  })
})
