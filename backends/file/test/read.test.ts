import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import type { FileStore } from '../src/store.ts'
import {
  bytesAt,
  namesIn,
  openFiles,
  openStore,
  reading,
  seededBytes,
  streamOf,
  temporaryDirectory,
  writing,
} from './support.ts'

const bytes = seededBytes(3_000_000)
let dir: string
let store: FileStore
let at: string

beforeEach(async () => {
  dir = await temporaryDirectory()
  store = await openStore({ dir })
  at = (await store.write('image', streamOf(bytes), writing())).at
})

async function collected(offset: number, length: number | undefined): Promise<Buffer> {
  const { body, size } = await store.read(at, { ...reading, offset, length })
  expect(size).toBe(bytes.length)
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** A destroyed stream closes its file on its own time. */
async function allClosed(): Promise<void> {
  await expect.poll(() => openFiles(dir), { interval: 5 }).toBe(0)
}

describe('reading', () => {
  const end = bytes.length
  it.each([
    [0, undefined],
    [0, 1],
    [1, 1],
    [end - 1, undefined],
    [end - 1, 1],
    [end - 1, 100],
    [end, undefined],
    [end + 5, 3],
    [1_048_575, 2],
    [1_048_576, 1_048_577],
    [17, end],
    [0, Number.MAX_SAFE_INTEGER],
  ])('from %i, %s bytes, delivers exactly those that exist', async (offset, length) => {
    const expected = bytes.subarray(offset, length === undefined ? undefined : offset + length)
    expect((await collected(offset, length)).equals(expected)).toBe(true)
    await allClosed()
  })

  it('tells a size and an etag that only change with the object', async () => {
    const { size, etag, body } = await store.read(at, reading)
    ;(body as Readable).destroy()
    expect(size).toBe(bytes.length)
    expect(await store.stat(at, reading)).toEqual({ size, etag })
    await store.remove(at, reading)
    await store.write('image', streamOf(bytes), writing())
    expect((await store.stat(at, reading)).etag).not.toBe(etag)
    await allClosed()
  })

  it('reads an empty object', async () => {
    const { at: empty } = await store.write('empty', streamOf(), writing())
    expect(await bytesAt(store, empty)).toHaveLength(0)
    await allClosed()
  })

  it('closes the file whether the body is read, left, destroyed unread or aborted', async () => {
    await bytesAt(store, at)
    for await (const chunk of (await store.read(at, reading)).body) if (chunk.byteLength > 0) break
    const unread = (await store.read(at, reading)).body
    expect(await openFiles(dir)).toBeGreaterThan(0)
    ;(unread as Readable).destroy()
    const controller = new AbortController()
    await store.read(at, { ...reading, signal: controller.signal })
    controller.abort(new Error('unread and aborted'))
    await allClosed()
  })

  it('ends a body with the reason of an abort', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const { body } = await store.read(at, { ...reading, signal: controller.signal })
    const consume = async (): Promise<void> => {
      for await (const chunk of body) if (chunk.byteLength > 0) controller.abort(reason)
    }
    await expect(consume()).rejects.toBe(reason)
    await expect(store.read(at, { ...reading, signal: controller.signal })).rejects.toBe(reason)
    await allClosed()
  })

  it('reads ahead one chunk, not the file, when the consumer is slow', async () => {
    const { body } = await store.read(at, reading)
    const stream = body as Readable
    stream.read(0)
    await expect.poll(() => stream.readableLength).toBeGreaterThan(0)
    await turn()
    expect(stream.readableLength).toBeLessThanOrEqual(1 << 20)
    stream.destroy()
    await allClosed()
  })
})

describe('removing', () => {
  it('makes the object unknown to every function', async () => {
    await store.remove(at, reading)
    expect(await namesIn(dir)).toEqual([])
    await expect(store.read(at, reading)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(store.stat(at, reading)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(store.remove(at, reading)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('does not take the bytes from who reads them', async () => {
    const { body } = await store.read(at, reading)
    await store.remove(at, reading)
    await expect(stat(join(dir, 'image'))).rejects.toMatchObject({ code: 'ENOENT' })
    const chunks: Uint8Array[] = []
    for await (const chunk of body) chunks.push(chunk)
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
    await allClosed()
  })
})
