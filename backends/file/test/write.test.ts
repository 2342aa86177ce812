import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteStream } from 'mullion'
import { describe, expect, it } from 'vitest'
import { realDisk } from '../src/disk.ts'
import {
  bytesAt,
  gate,
  inChunksOf,
  namesIn,
  openFiles,
  openStore,
  reading,
  seededBytes,
  streamOf,
  systemError,
  temporaryDirectory,
  writing,
} from './support.ts'

const MIB = 1 << 20

describe('writing', () => {
  it.each([0, 1, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 1])(
    'stores %i bytes as they are, of known and unknown size',
    async (length) => {
      const dir = await temporaryDirectory()
      const store = await openStore({ dir })
      const bytes = seededBytes(length)
      const known = await store.write('known', inChunksOf(bytes, 65_536), writing({ size: length }))
      const unknown = await store.write('unknown', inChunksOf(bytes, 65_536), writing())
      expect(known.at).toBe(join(dir, 'known'))
      expect((await bytesAt(store, known.at)).equals(bytes)).toBe(true)
      expect((await bytesAt(store, unknown.at)).equals(bytes)).toBe(true)
      expect(await namesIn(dir)).toEqual(['known', 'unknown'])
      expect(await openFiles(dir)).toBe(0)
    },
  )

  it('takes one-byte chunks, empty ones among them, and a key as long as a name may be', async () => {
    const store = await openStore({ dir: await temporaryDirectory() })
    const source = async function* (): ByteStream {
      for (const byte of seededBytes(3000)) yield* [Uint8Array.of(byte), new Uint8Array(0)]
    }
    const { at } = await store.write('k'.repeat(255), source(), writing())
    expect((await bytesAt(store, at)).equals(seededBytes(3000))).toBe(true)
  })

  it('refuses a key that exists before it reads a byte, in whichever directory it is', async () => {
    const [first, second] = [await temporaryDirectory(), await temporaryDirectory()]
    await writeFile(join(second, 'image'), 'old')
    const store = await openStore({ dirs: [{ path: first, weight: 1 }, { path: second }] })
    const source: ByteStream = {
      [Symbol.asyncIterator]() {
        throw new Error('must not be read')
      },
    }
    await expect(store.write('image', source, writing())).rejects.toMatchObject({ code: 'already_exists' })
    expect((await bytesAt(store, join(second, 'image'))).toString()).toBe('old')
    expect(await namesIn(first)).toEqual([])
  })

  it.each([1, 2])(
    'lets one of two concurrent writes of a key win, its bytes intact (%i directories)',
    async (count) => {
      const paths = await Promise.all(Array.from({ length: count }, temporaryDirectory))
      const config = { dirs: paths.map((path) => ({ path })) }
      const [one, two] = [await openStore(config), await openStore(config)]
      for (const [left, right] of [
        [one, one],
        [one, two],
      ] as const) {
        const contents = [seededBytes(3 * MIB, 1), seededBytes(3 * MIB, 2)] as const
        const key = `image-${left === right}`
        const results = await Promise.allSettled([
          left.write(key, inChunksOf(contents[0], 50_000), writing()),
          right.write(key, inChunksOf(contents[1], 50_000), writing()),
        ])
        const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []))
        const [loser] = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
        expect(winners).toHaveLength(1)
        expect(loser).toMatchObject({ code: 'already_exists' })
        const won = results[winners[0] ?? 0] as PromiseFulfilledResult<{ at: string }>
        expect((await bytesAt(one, won.value.at)).equals(contents[winners[0] ?? 0] ?? Buffer.alloc(0))).toBe(true)
        expect((await Promise.all(paths.map(namesIn))).flat().filter((name) => name !== 'image-true')).toEqual(
          key === 'image-true' ? [] : [key],
        )
      }
    },
  )

  it('announces no place that another write has taken meanwhile', async () => {
    const dir = await temporaryDirectory()
    const [store, other] = [await openStore({ dir }), await openStore({ dir })]
    const source = async function* (): ByteStream {
      yield seededBytes(10)
      await other.write('image', streamOf('theirs'), writing())
    }
    let announced = false
    const announce = async (): Promise<void> => void (announced = true)
    await expect(store.write('image', source(), writing({ announce }))).rejects.toMatchObject({
      code: 'already_exists',
    })
    expect(announced).toBe(false)
    expect((await bytesAt(store, join(dir, 'image'))).toString()).toBe('theirs')
  })

  it('lets the write that publishes first finish before another of its key looks', async () => {
    const paths = [await temporaryDirectory(), await temporaryDirectory()]
    const store = await openStore({ dirs: paths.map((path) => ({ path })) })
    const events: string[] = []
    let second: Promise<unknown> = Promise.resolve()
    const announce = async (): Promise<void> => {
      events.push('first')
      const source = async function* (): ByteStream {
        yield seededBytes(1)
      }
      second = store.write('image', source(), writing({ announce: async () => void events.push('second') }))
      await Promise.race([second.catch(() => {}), someTurns(200)])
    }
    await store.write('image', streamOf('first'), writing({ announce }))
    await expect(second).rejects.toMatchObject({ code: 'already_exists' })
    expect(events).toEqual(['first'])
  })

  it('gives back the space it reserved when it fails', async () => {
    const dir = await temporaryDirectory()
    const statfs = (async () => ({ bavail: 100, blocks: 100, bsize: 1, frsize: 1 })) as never
    const store = await openStore({ dir }, { ...realDisk, statfs })
    const source = async function* (): ByteStream {
      yield seededBytes(1)
      throw new Error('lost')
    }
    await expect(store.write('image', source(), writing({ size: 100 }))).rejects.toThrow('lost')
    await store.write('image', streamOf('x'), writing({ size: 100 }))
  })

  it('shows readers nothing before it is complete', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir })
    const [started, rest] = [gate(), gate()]
    const source = async function* (): ByteStream {
      yield seededBytes(2 * MIB)
      started.open()
      await rest.opened
      yield seededBytes(1)
    }
    const write = store.write('image', source(), writing())
    await started.opened
    const [partial] = await namesIn(dir)
    expect(partial).toMatch(/^\.image\..*\.part$/)
    await expect(store.read(join(dir, 'image'), reading)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(store.stat(join(dir, 'image'), reading)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(store.read(join(dir, partial ?? ''), reading)).rejects.toMatchObject({ code: 'invalid_location' })
    rest.open()
    const { at } = await write
    expect((await stat(at)).size).toBe(2 * MIB + 1)
  })

  it('announces the place once the bytes are safe and before anything is there', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir })
    const seen: unknown[] = []
    const announce = async (at: string): Promise<void> => {
      seen.push(
        at,
        (await namesIn(dir)).filter((name) => !name.startsWith('.')),
      )
    }
    await store.write('image', streamOf('abc'), writing({ announce }))
    expect(seen).toEqual([join(dir, 'image'), []])
  })

  it('stores nothing when the place cannot be recorded', async () => {
    const dir = await temporaryDirectory()
    const failure = new Error('registry is down')
    const store = await openStore({ dir })
    const announce = (): Promise<void> => Promise.reject(failure)
    await expect(store.write('image', streamOf('abc'), writing({ announce }))).rejects.toBe(failure)
    expect(await namesIn(dir)).toEqual([])
  })

  it('leaves nothing behind when the source fails, and rejects with its error', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir })
    const failure = new Error('connection lost')
    for (const before of [0, 1, 3 * MIB]) {
      const source = async function* (): ByteStream {
        yield seededBytes(before)
        throw failure
      }
      await expect(store.write('image', source(), writing())).rejects.toBe(failure)
      expect(await namesIn(dir)).toEqual([])
    }
    expect(await openFiles(dir)).toBe(0)
    await store.write('image', streamOf('again'), writing())
  })

  it.each(['the first byte', 'the next byte', 'the announcement'])('stops at an abort before %s', async (when) => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir })
    const controller = new AbortController()
    const reason = new Error('the user left')
    const source = async function* (): ByteStream {
      yield seededBytes(2 * MIB)
      if (when !== 'the next byte') return
      controller.abort(reason)
      controller.signal.throwIfAborted() // as the core's bodies do
    }
    if (when === 'the first byte') controller.abort(reason)
    const announce = async (): Promise<void> => controller.abort(reason)
    await expect(store.write('image', source(), writing({ signal: controller.signal, announce }))).rejects.toBe(reason)
    expect(await namesIn(dir)).toEqual([])
    expect(await openFiles(dir)).toBe(0)
  })

  it('lets go of the source when the disk fails, and keeps the error of the disk', async () => {
    const dir = await temporaryDirectory()
    const failure = systemError('EIO')
    const open = (async (...args: Parameters<typeof realDisk.open>) => {
      const handle = await realDisk.open(...args)
      if (String(args[0]).endsWith('.part')) handle.writev = () => Promise.reject(failure)
      return handle
    }) as typeof realDisk.open
    const store = await openStore({ dir }, { ...realDisk, open })
    let released = false
    const source = async function* (): ByteStream {
      try {
        for (;;) yield seededBytes(MIB)
      } finally {
        released = true
      }
    }
    await expect(store.write('image', source(), writing())).rejects.toBe(failure)
    expect(released).toBe(true)
    expect(await namesIn(dir)).toEqual([])
    expect(await openFiles(dir)).toBe(0)
  })

  it.each(['', '.', '..', '../x', '.hidden', 'a/b', 'a\\b', 'a\0b', 'ü', 'a b', '%2e%2e', 'k'.repeat(256)])(
    'refuses the key %j',
    async (key) => {
      const dir = await temporaryDirectory()
      const store = await openStore({ dir })
      await expect(store.write(key, streamOf('x'), writing())).rejects.toMatchObject({ code: 'invalid_argument' })
      expect(await namesIn(dir)).toEqual([])
    },
  )
})

describe('permissions', () => {
  it.each(['640', '600', '444', '666', '755'])(
    'are %s whatever the umask, from the first byte on',
    async (permissions) => {
      const dir = await temporaryDirectory()
      const store = await openStore({ dir, permissions })
      const modes: number[] = []
      const modeOf = async (name: string): Promise<number> => (await stat(join(dir, name))).mode & 0o7777
      const source = async function* (): ByteStream {
        yield seededBytes(10)
        modes.push(await modeOf((await namesIn(dir))[0] ?? ''))
      }
      const { at } = await store.write('image', source(), writing())
      modes.push((await stat(at)).mode & 0o7777)
      expect(modes).toEqual([Number.parseInt(permissions, 8), Number.parseInt(permissions, 8)])
    },
  )

  it('are up to the umask by default', async () => {
    const dir = await temporaryDirectory()
    await writeFile(join(dir, 'reference'), '')
    const { at } = await (await openStore({ dir })).write('image', streamOf('x'), writing())
    expect((await stat(at)).mode).toBe((await stat(join(dir, 'reference'))).mode)
  })
})

/** Long enough for the few calls of a small write, without a clock. */
async function someTurns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await stat('.')
}
