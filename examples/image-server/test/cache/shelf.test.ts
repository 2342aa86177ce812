import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { isMullionError } from 'mullion'
import { memoryRegistry } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { openDiskCache } from '../../src/cache/index.ts'
import { request } from '../v1/server.ts'
import { cacheOptions, PIECE, type Rig, rig, temporaryDirectory, until } from './rig.ts'

const MIB = 1024 * 1024
const BYTES = randomBytes(2 * PIECE)

async function cached({ server, cache }: Rig, id: string): Promise<void> {
  await server.call('GET', `/v1/images/${id}`)
  await until(() => cache.cached().some(({ imageId }) => imageId === id))
}

function ids({ cache }: Rig): string[] {
  return cache.cached().map(({ imageId }) => imageId)
}

describe('a full cache', { timeout: 30_000 }, () => {
  it('forgets what was not read for longest', async () => {
    const rigged = await rig({ cache: { maxSize: 3 * (BYTES.length + 4096) } })
    const [a, b, c, d] = (await Promise.all([1, 2, 3, 4].map(() => rigged.image(BYTES)))) as [
      string,
      string,
      string,
      string,
    ]
    for (const id of [a, b, c]) await cached(rigged, id)
    await rigged.server.call('GET', `/v1/images/${a}`)
    await cached(rigged, d)
    expect(ids(rigged)).toEqual([c, a, d])
    expect(rigged.files()).toHaveLength(3)
  })

  it('keeps what is being read, and takes nothing in when there is nothing else to forget', async () => {
    const rigged = await rig({ cache: { maxSize: 17 * MIB } })
    const bytes = randomBytes(16 * MIB) // more than the buffers of a connection take
    const first = await rigged.image(bytes)
    rigged.cache.enqueue(first)
    const opened = await rigged.cache.fetch(
      await rigged.server.image(first),
      (how) => rigged.server.ports.stores.get({ uri: `origin://${first}`, store: 'origin' }, how),
      new AbortController().signal,
    )
    expect(opened).toBe(true)
    const socket = connect(rigged.server.port, '127.0.0.1').on('error', () => {})
    socket.once('readable', () => socket.pause())
    socket.write(request('GET', `/v1/images/${first}`))
    await until(() => rigged.cache.cached()[0]?.hits === 1)

    const second = await rigged.image(randomBytes(2 * MIB))
    expect((await rigged.server.call('GET', `/v1/images/${second}`)).body.length).toBe(2 * MIB)
    expect(ids(rigged)).toEqual([first])
    socket.destroy()
    await until(async () => {
      await rigged.server.call('GET', `/v1/images/${second}`)
      return ids(rigged).includes(second)
    })
    expect(ids(rigged)).toEqual([second])
  })

  it('counts what was forgotten while it was read until its last reader has gone', async () => {
    const rigged = await rig({ cache: { maxSize: 2 * MIB + 8192 } })
    const first = await rigged.image(randomBytes(2 * MIB))
    await cached(rigged, first)
    const image = await rigged.server.image(first)
    const data = await rigged.cache.open(image, () => Promise.reject(new Error('no')), new AbortController().signal)
    await rigged.cache.purge(first)
    expect(rigged.files()).toEqual([])
    const second = await rigged.image(BYTES)
    await rigged.server.call('GET', `/v1/images/${second}`)
    expect(rigged.files()).toEqual([])
    let read = 0
    for await (const chunk of data?.body ?? []) read += chunk.byteLength
    expect(read).toBe(2 * MIB)
    await data?.[Symbol.asyncDispose]()
    await cached(rigged, second)
  })

  it('gives the same room to one image only', async () => {
    const rigged = await rig({ cache: { maxSize: BYTES.length * 1.6 } })
    const made = [await rigged.image(BYTES), await rigged.image(BYTES)]
    const { promise, resolve } = Promise.withResolvers<void>()
    rigged.origin.before = (_, offset) => (offset === PIECE ? promise : undefined)
    const reading = made.map((id) => rigged.server.call('GET', `/v1/images/${id}`))
    await until(() => rigged.origin.given >= 2 * PIECE)
    expect(rigged.files()).toHaveLength(1)
    resolve()
    for (const { body } of await Promise.all(reading)) expect(body.equals(BYTES)).toBe(true)
    await until(() => rigged.cache.cached().length === 1)
  })

  it('holds only so many tiny images', async () => {
    const rigged = await rig({ cache: { maxSize: 4 * 8192 } })
    for (let turn = 0; turn < 6; turn += 1) await cached(rigged, await rigged.image(Buffer.from(`tiny ${turn}`)))
    expect(rigged.files()).toHaveLength(4)
  })
})

describe('the directory of a cache', { timeout: 30_000 }, () => {
  it('is for its owner alone', async () => {
    const dir = join(temporaryDirectory(), 'a', 'cache')
    const rigged = await rig({ cache: { dir } })
    await cached(rigged, await rigged.image(BYTES))
    expect(statSync(dir).mode & 0o777).toBe(0o700)
    for (const name of rigged.files()) expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600)
  })

  it('is taken up again, with what was counted and queued, in the order of the last reads', async () => {
    let now = 1_000
    const dir = temporaryDirectory()
    const first = await rig({ cache: { dir, now: () => (now += 1_000) } })
    const [a, b] = (await Promise.all([1, 2].map(() => first.image(BYTES)))) as [string, string]
    for (const id of [a, b, a, a]) await cached(first, id)
    first.cache.enqueue(crypto.randomUUID())
    const queued = first.cache.queued()
    const before = first.cache.cached()
    await first.cache.close()

    const images = first.registry.images
    const again = await openDiskCache({ ...cacheOptions(dir), images })
    expect(again.cached()).toEqual(before)
    expect(before.map(({ imageId, hits }) => [imageId, hits])).toEqual([
      [b, 0],
      [a, 2],
    ])
    expect(again.queued()).toEqual(queued)
    const data = await again.open(
      await images.get(a),
      () => Promise.reject(new Error('no')),
      new AbortController().signal,
    )
    const chunks: Uint8Array[] = []
    for await (const chunk of data?.body ?? []) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(BYTES)).toBe(true)
    await data?.[Symbol.asyncDispose]()
    await again.close()
  })

  it('is cleared of what an earlier process did not finish, and of nothing else', async () => {
    const dir = temporaryDirectory()
    const first = await rig({ cache: { dir } })
    await cached(first, await first.image(BYTES))
    await first.cache.close()
    const [kept = ''] = first.files()
    const strange = [`${crypto.randomUUID()}.part`, `${crypto.randomUUID()}.image`]
    const foreign = ['notes.txt', 'x.part', 'disk.image']
    for (const name of [...strange, ...foreign]) writeFileSync(join(dir, name), 'x')
    const again = await openDiskCache({ ...cacheOptions(dir), images: memoryRegistry().images })
    expect(readdirSync(dir).filter((name) => !name.startsWith('catalog'))).toEqual([kept, ...foreign].toSorted())
    await again.close()
  })

  it('is shrunk when the cache may be smaller than it was', async () => {
    const dir = temporaryDirectory()
    const first = await rig({ cache: { dir } })
    const [, b] = await Promise.all([1, 2].map(() => first.image(BYTES)))
    await cached(first, b ?? '')
    await first.cache.close()
    const again = await openDiskCache({ ...cacheOptions(dir), maxSize: 1, images: memoryRegistry().images })
    expect([again.cached(), first.files()]).toEqual([[], []])
    await again.close()
  })

  it('starts empty when its catalog is broken', async () => {
    const dir = temporaryDirectory()
    writeFileSync(join(dir, 'catalog.sqlite'), 'no database at all, but long enough to look at '.repeat(100))
    writeFileSync(join(dir, `${crypto.randomUUID()}.image`), 'x')
    const rigged = await rig({ cache: { dir } })
    expect(rigged.files()).toEqual([])
    await cached(rigged, await rigged.image(BYTES))
  })

  it('serves one server only', async () => {
    const { dir } = await rig()
    const second = openDiskCache({ ...cacheOptions(dir), images: memoryRegistry().images })
    await expect(second).rejects.toThrow(/another server uses it/)
    await expect(second).rejects.toSatisfy((error) => isMullionError(error, 'in_use'))
  })

  it('says so when it cannot be made', async () => {
    const dir = join(temporaryDirectory(), 'file')
    writeFileSync(dir, '')
    const opening = openDiskCache({ ...cacheOptions(join(dir, 'cache')), images: memoryRegistry().images })
    await expect(opening).rejects.toThrow(/cache directory .* cannot be made/)
  })

  it('may go away while the server runs: images come from the store', async () => {
    const rigged = await rig()
    const id = await rigged.image(BYTES)
    rmSync(rigged.dir, { recursive: true })
    expect((await rigged.server.call('GET', `/v1/images/${id}`)).body.equals(BYTES)).toBe(true)
    expect(rigged.said).toEqual(['the cache cannot be written'])
    mkdirSync(rigged.dir)
  })
})
