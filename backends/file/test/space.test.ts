import { statfs } from 'node:fs/promises'
import { freeSpace } from '@mullion/file'
import { memfs } from 'memfs'
import { describe, expect, it } from 'vitest'
import type { Disk } from '../src/disk.ts'
import { place } from '../src/space.ts'
import { systemError, temporaryDirectory } from './support.ts'

interface Volume {
  readonly free: number
  readonly device: number
}

/** memfs, with sizes and device numbers: it has one endless device only. */
async function disksOf(volumes: Readonly<Record<string, Volume>>): Promise<Disk> {
  const { fs } = memfs({})
  for (const path of Object.keys(volumes)) await fs.promises.mkdir(path, { recursive: true })
  const volume = (path: string): Volume => {
    const found = volumes[path]
    if (!found) throw systemError('ENOENT')
    return found
  }
  return {
    ...(fs.promises as unknown as Disk),
    statfs: (async (path: string) => ({ bavail: volume(path).free, blocks: 1000, bsize: 4096, frsize: 1 })) as never,
    stat: (async (path: string) => ({ dev: volume(path).device })) as never,
  }
}

const weighted = (path: string, weight = 0): { path: string; weight: number } => ({ path, weight })

describe('the place of a write', () => {
  it('is the directory with most free bytes among equals', async () => {
    const disk = await disksOf({
      '/a': { free: 10, device: 1 },
      '/b': { free: 30, device: 2 },
      '/c': { free: 20, device: 3 },
    })
    const { directory } = await place(disk, [weighted('/a'), weighted('/b'), weighted('/c')], 5)
    expect(directory).toBe('/b')
  })

  it('is one of the greatest weight that has room, whatever the others have', async () => {
    const disk = await disksOf({ '/a': { free: 10, device: 1 }, '/b': { free: 99, device: 2 } })
    const directories = [weighted('/b', 1), weighted('/a', 2)]
    expect((await place(disk, directories, 10)).directory).toBe('/a')
    expect((await place(disk, directories, 11)).directory).toBe('/b')
  })

  it('does not exist when nothing has room', async () => {
    const disk = await disksOf({ '/a': { free: 10, device: 1 }, '/b': { free: 0, device: 2 } })
    await expect(place(disk, [weighted('/a'), weighted('/b')], 11)).rejects.toMatchObject({ code: 'storage_full' })
  })

  it('needs a byte for an unknown size and none for an empty image', async () => {
    const disk = await disksOf({ '/a': { free: 0, device: 1 } })
    await expect(place(disk, [weighted('/a')], undefined)).rejects.toMatchObject({ code: 'storage_full' })
    expect((await place(disk, [weighted('/a')], 0)).directory).toBe('/a')
  })

  it('is not promised twice: concurrent writes of one device share what is left', async () => {
    const disk = await disksOf({ '/a': { free: 10, device: 1 }, '/same': { free: 10, device: 1 } })
    const directories = [weighted('/a', 1), weighted('/same')]
    const settled = await Promise.allSettled([place(disk, directories, 6), place(disk, directories, 6)])
    expect(settled.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    await expect(place(disk, directories, 4)).resolves.toMatchObject({ directory: '/a' })
  })

  it('is free again once its write ended, and as bytes land', async () => {
    const disk = await disksOf({ '/a': { free: 10, device: 1 } })
    const { reservation } = await place(disk, [weighted('/a')], 10)
    await expect(place(disk, [weighted('/a')], 1)).rejects.toMatchObject({ code: 'storage_full' })
    reservation.landed(4)
    const second = await place(disk, [weighted('/a')], 4)
    second.reservation.release()
    reservation.landed(100) // more than announced gives back no more than was reserved
    reservation.release()
    await expect(place(disk, [weighted('/a')], 10)).resolves.toBeDefined()
    await expect(place(disk, [weighted('/a')], 1)).rejects.toMatchObject({ code: 'storage_full' })
  })

  it('is elsewhere while one directory is gone, and unavailable when all are', async () => {
    const disk = await disksOf({ '/a': { free: 10, device: 1 } })
    expect((await place(disk, [weighted('/gone', 9), weighted('/a')], 1)).directory).toBe('/a')
    await expect(place(disk, [weighted('/gone')], 1)).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('freeSpace', () => {
  it('tells free and total bytes of each directory', async () => {
    const dir = await temporaryDirectory()
    const { blocks, bsize } = await statfs(dir)
    const [space] = await freeSpace({ dir })
    expect(space).toMatchObject({ path: dir, total: blocks * bsize })
    expect(space?.free).toBeGreaterThan(0)
    expect(space?.free).toBeLessThanOrEqual(blocks * bsize)
  })

  it('refuses a configuration no store would accept', async () => {
    await expect(freeSpace({})).rejects.toMatchObject({ code: 'invalid_config' })
  })
})
