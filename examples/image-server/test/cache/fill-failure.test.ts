import { createHash, randomBytes } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Content } from '../../src/cache/content.ts'
import { Fill } from '../../src/cache/fill.ts'
import { openShelf } from '../../src/cache/open.ts'
import type { ReadStore } from '../../src/cache/port.ts'
import { md5 } from '../v1/server.ts'
import { cacheOptions, temporaryDirectory } from './rig.ts'

/** One chunk, of which a digest in another thread takes more than one message. */
const BYTES = randomBytes(2 * 1024 * 1024)

const CONTENT: Content = {
  key: 'key',
  imageId: 'image',
  size: BYTES.length,
  digests: [
    { algorithm: 'md5', hex: md5(BYTES) },
    { algorithm: 'sha512', hex: createHash('sha512').update(BYTES).digest('hex') },
  ],
}

type Write = () => Promise<unknown>

/** A fill into a directory of its own, onto a disk that writes as told. */
async function fillFrom(read: ReadStore, write?: Write) {
  const dir = temporaryDirectory()
  const said: string[] = []
  const options = cacheOptions(dir, said)
  const { shelf, catalog } = await openShelf(options)
  onTestFinished(() => catalog.close())
  const slot = shelf.slot.bind(shelf)
  vi.spyOn(shelf, 'slot').mockImplementation(async (content) => {
    const made = await slot(content)
    if (made && write) vi.spyOn(made.file, 'write').mockImplementation(write as FileHandle['write'])
    return made
  })
  const fill = new Fill(CONTENT, { ...options, shelf, read, isWanted: async () => true, abandonedMs: () => 60_000 })
  const parts = (): string[] => readdirSync(dir).filter((name) => name.endsWith('.part'))
  return { fill, said, parts }
}

/** A store that has the image in one chunk. */
function store(): { readonly read: ReadStore; readonly disposed: () => boolean } {
  let disposed = false
  const read: ReadStore = async () => {
    const body = (async function* () {
      yield new Uint8Array(BYTES)
    })()
    const dispose = async (): Promise<void> => void (disposed = true)
    return { body, size: BYTES.length, etag: undefined, store: 'store', [Symbol.asyncDispose]: dispose }
  }
  return { read, disposed: () => disposed }
}

/** The next message to a thread of the digests ends it. */
function dyingThread(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const post = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (this: Worker) {
    post.mockRestore()
    this.emit('error', new Error('the thread died'))
    void this.terminate()
    resolve()
  })
  onTestFinished(() => post.mockRestore())
  return promise
}

function unhandled(): readonly unknown[] {
  const seen: unknown[] = []
  const see = (reason: unknown): void => void seen.push(reason)
  process.on('unhandledRejection', see)
  onTestFinished(() => void process.off('unhandledRejection', see))
  return seen
}

const threads = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort').length

describe('a fill that fails', () => {
  it('holds no thread when the disk refuses the first part', async () => {
    const before = threads()
    const { read, disposed } = store()
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    const { fill, said, parts } = await fillFrom(read, () => Promise.reject(full))
    expect(await fill.over).toBe(false)
    expect(said).toEqual(['the cache cannot be written; those who read go on from the store'])
    expect([disposed(), parts()]).toEqual([true, []])
    await new Promise(setImmediate)
    expect(threads()).toBe(before)
  })

  it('waits for the disk when a digest fails meanwhile, and then says so', async () => {
    const seen = unhandled()
    const died = dyingThread()
    const { read, disposed } = store()
    const disk = Promise.withResolvers<unknown>()
    const { fill, parts } = await fillFrom(read, () => disk.promise)
    await died
    await new Promise(setImmediate)
    expect([disposed(), parts().length]).toEqual([false, 1])
    disk.resolve({ bytesWritten: BYTES.length })
    expect(await fill.over).toBe(false)
    expect(fill.failure).toMatchObject({ message: 'the thread died' })
    expect([disposed(), parts(), seen]).toEqual([true, [], []])
  })

  it('leaves no timer behind when the store refuses after all have left', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const opening = Promise.withResolvers<never>()
    const { fill } = await fillFrom(() => opening.promise)
    const leave = fill.hold()
    await leave()
    expect(vi.getTimerCount()).toBe(1)
    opening.reject(new Error('gone'))
    expect(await fill.over).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })
})
