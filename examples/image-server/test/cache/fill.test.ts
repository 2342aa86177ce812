import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { request } from '../v1/server.ts'
import { send } from '../process/client.ts'
import { PIECE, type Rig, rig, until } from './rig.ts'

const BYTES = randomBytes(8 * PIECE + 123)

/** Opens when told; those who wait before go on. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}

function get({ server }: Rig, id: string): ReturnType<typeof server.call> {
  return server.call('GET', `/v1/images/${id}`)
}

/** A client that takes nothing. */
function stalled({ server }: Rig, id: string): Socket {
  const socket = connect(server.port, '127.0.0.1').on('error', () => {})
  socket.pause()
  socket.write(request('GET', `/v1/images/${id}`))
  return socket
}

async function left(socket: Socket): Promise<void> {
  socket.destroy()
  if (!socket.closed) await once(socket, 'close')
}

describe('an image that is not cached yet', { timeout: 30_000 }, () => {
  it('is read from the store once, however many ask for it at the same time', async () => {
    const rigged = await rig()
    const id = await rigged.image(BYTES)
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(rigged, id)))
    for (const { status, body } of answers) expect([status, body.equals(BYTES)]).toEqual([200, true])
    await until(() => rigged.cache.cached().length === 1)
    expect([rigged.origin.reads, rigged.origin.given, rigged.origin.open]).toEqual([1, BYTES.length, 0])
    rigged.origin.objects.clear()
    expect((await get(rigged, id)).body.equals(BYTES)).toBe(true)
    expect(rigged.origin.reads).toBe(1)
    expect(rigged.files()).toHaveLength(1)
  })

  it('reaches the first client while the store still delivers', async () => {
    const rigged = await rig()
    const id = await rigged.image(BYTES)
    const { opened, open } = gate()
    rigged.origin.before = (_, offset) => (offset === 2 * PIECE ? opened : undefined)
    const socket = connect(rigged.server.port, '127.0.0.1')
    socket.write(request('GET', `/v1/images/${id}`))
    let received = 0
    socket.on('data', (chunk: Buffer) => (received += chunk.length))
    await until(() => received > 2 * PIECE)
    expect(rigged.cache.cached()).toEqual([])
    open()
    await until(() => rigged.cache.cached().length === 1)
    await left(socket)
  })

  it.each([1, 2, PIECE, PIECE + 1])('is whole and cached when it has %i bytes', async (size) => {
    const rigged = await rig()
    const id = await rigged.image(BYTES.subarray(0, size))
    for (const reads of [1, 1]) {
      expect((await get(rigged, id)).body.equals(BYTES.subarray(0, size))).toBe(true)
      await until(() => rigged.cache.cached().length === 1)
      expect(rigged.origin.reads).toBe(reads)
    }
  })

  it('goes to the others at their own pace when the first client is slow or leaves', async () => {
    const rigged = await rig()
    const bytes = randomBytes(16 * 1024 * 1024) // more than the buffers of a connection take
    const id = await rigged.image(bytes)
    const { opened, open } = gate()
    rigged.origin.before = (_, offset) => (offset === PIECE ? opened : undefined)
    const slow = stalled(rigged, id)
    const leaving = stalled(rigged, id)
    await until(() => rigged.origin.given > 0)
    const other = send('GET', `${rigged.server.url}/v1/images/${id}`)
    await left(leaving)
    open()
    expect((await other).body.equals(bytes)).toBe(true)
    expect(rigged.origin.reads).toBe(1)
    await left(slow)
  })

  it('gets into the cache although all who asked for it have left', async () => {
    const rigged = await rig()
    const id = await rigged.image(BYTES)
    const { opened, open } = gate()
    rigged.origin.before = (_, offset) => (offset === PIECE ? opened : undefined)
    const socket = stalled(rigged, id)
    await until(() => rigged.origin.given > 0)
    await left(socket)
    open()
    await until(() => rigged.cache.cached().length === 1)
    expect((await get(rigged, id)).body.equals(BYTES)).toBe(true)
    expect(rigged.origin.reads).toBe(1)
  })

  it('is let go of when nobody waits for it for too long, and nothing is left of it', async () => {
    const rigged = await rig({ cache: { abandonedMs: 0 } })
    const id = await rigged.image(BYTES)
    rigged.origin.before = (_, offset) => (offset === PIECE ? new Promise(() => {}) : undefined)
    const socket = stalled(rigged, id)
    await until(() => rigged.origin.given > 0)
    expect(rigged.files()).toHaveLength(1)
    await left(socket)
    await until(() => rigged.files().length === 0)
    rigged.origin.before = () => {}
    expect((await get(rigged, id)).body.equals(BYTES)).toBe(true)
  })

  it('is let go of at once when too many go on although nobody waits for them', async () => {
    const rigged = await rig()
    const { promise, resolve } = Promise.withResolvers<void>()
    rigged.origin.before = (_, offset) => (offset === PIECE ? promise : undefined)
    const sockets: Socket[] = []
    for (let turn = 0; turn < 6; turn += 1) sockets.push(stalled(rigged, await rigged.image(BYTES)))
    await until(() => rigged.origin.given === 6 * PIECE)
    for (const socket of sockets) await left(socket)
    await until(() => rigged.files().length === 4)
    resolve()
    await until(() => rigged.cache.cached().length === 4)
  })

  it('breaks the connections when the store fails in the middle; the next reader gets it', async () => {
    const rigged = await rig()
    const id = await rigged.image(BYTES)
    rigged.origin.before = (_, offset) => {
      if (offset === 3 * PIECE) throw new Error('the disk of the store is broken')
    }
    const answers = await Promise.all([get(rigged, id), get(rigged, id), get(rigged, id)])
    for (const { body } of answers) expect(body.length).toBeLessThan(BYTES.length)
    await until(() => rigged.files().length === 0)
    expect([rigged.origin.reads, rigged.cache.cached()]).toEqual([1, []])
    rigged.origin.before = () => {}
    expect((await get(rigged, id)).body.equals(BYTES)).toBe(true)
  })

  it('answers all who ask as without a cache when the store has lost it', async () => {
    const rigged = await rig()
    const id = await rigged.image(BYTES)
    rigged.origin.objects.clear()
    const answers = await Promise.all([get(rigged, id), get(rigged, id)])
    expect(answers.map(({ status }) => status)).toEqual([404, 404])
    expect(rigged.files()).toEqual([])
  })
})

describe('bytes that are not the image', { timeout: 30_000 }, () => {
  it.each([
    ['another checksum', { checksum: '0'.repeat(32) }],
    ['another digest', { hashValue: '0'.repeat(128) }],
  ])('break the connection before its end and are not cached: %s', async (_, fields) => {
    const rigged = await rig()
    const id = await rigged.image(BYTES, fields)
    const answers = await Promise.all([get(rigged, id), get(rigged, id)])
    for (const { status, headers, body } of answers) {
      if (status !== 0) expect([status, headers['content-length']]).toEqual([200, String(BYTES.length)])
      expect(body.length).toBeLessThan(BYTES.length)
    }
    await until(() => rigged.files().length === 0)
    expect(rigged.cache.cached()).toEqual([])
  })

  it('are never answered from what was cached for the image before', async () => {
    const rigged = await rig()
    const id = await rigged.image(BYTES)
    await get(rigged, id)
    await until(() => rigged.cache.cached().length === 1)
    const other = randomBytes(BYTES.length)
    const digest = (name: string) => createHash(name).update(other).digest('hex')
    await rigged.registry.images.update(id, { checksum: digest('md5'), hashValue: digest('sha512') })
    rigged.origin.objects.set(id, other)
    expect((await get(rigged, id)).body.equals(other)).toBe(true)
  })
})

describe('what cannot be cached', { timeout: 30_000 }, () => {
  it.each([
    ['nothing tells what its bytes should be', { checksum: undefined, hashAlgorithm: undefined, hashValue: undefined }],
    ['its digest cannot be computed', { hashAlgorithm: 'md6' }],
    ['its size is unknown', { size: undefined }],
  ])('comes from the store each time: %s', async (_, fields) => {
    const rigged = await rig()
    const id = await rigged.image(BYTES, fields)
    for (const reads of [1, 2]) {
      expect((await get(rigged, id)).body.equals(BYTES)).toBe(true)
      expect(rigged.origin.reads).toBe(reads)
    }
    expect(rigged.files()).toEqual([])
  })

  it.each([
    ['the cache is smaller', { maxSize: BYTES.length - 1 }],
    ['the disk is to stay as free as it is', { minFree: Number.MAX_SAFE_INTEGER }],
  ])('comes from the store each time: %s', async (_, cache) => {
    const rigged = await rig({ cache })
    const id = await rigged.image(BYTES)
    for (const _turn of [1, 2]) expect((await get(rigged, id)).body.equals(BYTES)).toBe(true)
    expect(rigged.files()).toEqual([])
  })
})

it('leaves no timer behind when the store has nothing', async () => {
  const { cache, server, image } = await rig()
  const record = await server.image(await image(BYTES))
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  const before = timers()
  const gone = new Error('gone')
  for (let turn = 0; turn < 5; turn += 1) {
    const opening = cache.open(record, () => Promise.reject(gone), new AbortController().signal)
    await expect(opening).rejects.toBe(gone)
  }
  expect(timers()).toBeLessThanOrEqual(before)
})
