import { join } from 'node:path'
import type { ByteStream } from 'mullion'
import { describe, expect, it, onTestFinished } from 'vitest'
import { classify } from '../src/errors.ts'
import { cannotMount, mountSmallDisk, type SmallDisk } from './small-disk.ts'
import { bytesAt, gate, namesIn, openFiles, openStore, reading, seededBytes, streamOf, writing } from './support.ts'

const MIB = 1 << 20

/** Unmounted when the test ends. */
function smallDisk(mib: number): SmallDisk {
  const disk = mountSmallDisk(mib * 1024)
  onTestFinished(disk.unmount)
  return disk
}

async function* mebibytes(count: number): ByteStream {
  for (let index = 0; index < count; index++) yield seededBytes(MIB, index + 1)
}

describe.skipIf(cannotMount !== undefined)('a disk that is too small', () => {
  it('fails a write of unknown size half-way and keeps nothing of it', async () => {
    const { dir } = smallDisk(4)
    const store = await openStore({ dir })
    const error: unknown = await store.write('image', mebibytes(8), writing()).catch((reason: unknown) => reason)
    expect(classify(error)).toBe('storage_full')
    expect(await namesIn(dir)).toEqual([])
    expect(await openFiles(dir)).toBe(0)
    await store.write('image', mebibytes(3), writing())
  })

  it('refuses an announced size before the first byte', async () => {
    const { dir } = smallDisk(4)
    const store = await openStore({ dir })
    let pulled = false
    const source = async function* (): ByteStream {
      pulled = true
      yield seededBytes(1)
    }
    const writeOptions = writing({ size: 5 * MIB })
    await expect(store.write('image', source(), writeOptions)).rejects.toMatchObject({ code: 'storage_full' })
    expect(pulled).toBe(false)
    expect(await namesIn(dir)).toEqual([])
  })

  it('is not promised to two writes at once, in two stores of one process either', async () => {
    const { dir } = smallDisk(4)
    const [one, two] = [await openStore({ dir }), await openStore({ dir })]
    const [started, rest] = [gate(), gate()]
    const source = async function* (): ByteStream {
      yield seededBytes(MIB)
      started.open()
      await rest.opened
      yield* mebibytes(2)
    }
    const first = one.write('first', source(), writing({ size: 3 * MIB }))
    await started.opened
    await expect(two.write('second', mebibytes(2), writing({ size: 2 * MIB }))).rejects.toMatchObject({
      code: 'storage_full',
    })
    rest.open()
    const { at } = await first
    expect((await one.stat(at, reading)).size).toBe(3 * MIB)
    await one.remove(at, reading)
    await two.write('second', mebibytes(2), writing({ size: 2 * MIB }))
  })

  it('sends an image to the next directory', async () => {
    const [small, large] = [smallDisk(2), smallDisk(8)]
    const store = await openStore({ dirs: [{ path: small.dir, weight: 10 }, { path: large.dir }] })
    const { at } = await store.write('image', mebibytes(4), writing({ size: 4 * MIB }))
    expect(at).toBe(join(large.dir, 'image'))
    expect((await store.write('little', streamOf('x'), writing({ size: 1 }))).at).toBe(join(small.dir, 'little'))
  })

  it('holds a sparse image larger than itself when its size is unknown', async () => {
    const { dir } = smallDisk(4)
    const store = await openStore({ dir, sparse: true })
    const source = async function* (): ByteStream {
      for (let count = 0; count < 64; count++) yield new Uint8Array(MIB)
    }
    const { at } = await store.write('image', source(), writing())
    expect(await bytesAt(store, at)).toHaveLength(64 * MIB)
  })
})

describe.skipIf(cannotMount !== undefined)('a disk that turns read-only', () => {
  it('fails writes and removals with permission_denied and still reads', async () => {
    const { dir, remount } = smallDisk(4)
    const store = await openStore({ dir })
    const { at } = await store.write('image', streamOf('abc'), writing())
    remount('ro')
    const refused: unknown[] = await Promise.all([
      store.write('other', streamOf('x'), writing()).catch((error: unknown) => error),
      store.remove(at, reading).catch((error: unknown) => error),
    ])
    expect(refused.map(classify)).toEqual(['permission_denied', 'permission_denied'])
    expect((await bytesAt(store, at)).toString()).toBe('abc')
    await expect(openStore({ dir })).rejects.toMatchObject({ code: 'permission_denied' })
  })
})
