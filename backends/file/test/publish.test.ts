import { lstat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Disk, realDisk } from '../src/disk.ts'
import { lockName } from '../src/partial.ts'
import {
  bytesAt,
  environment,
  namesIn,
  openStore,
  reading,
  streamOf,
  systemError,
  temporaryDirectory,
  writing,
} from './support.ts'

/** The real disk, on a file system without hard links. */
function linkless(errno = 'EPERM', changes: Partial<Disk> = {}): Disk {
  return { ...realDisk, link: () => Promise.reject(systemError(errno)), ...changes }
}

/** The real disk, whose directories fail to sync from the moment `armed` says so. */
function failingSync(armed: () => boolean): Disk {
  const open = (async (...args: Parameters<typeof realDisk.open>) => {
    const handle = await realDisk.open(...args)
    if (args[1] === 'r' && armed()) handle.sync = () => Promise.reject(systemError('EIO'))
    return handle
  }) as typeof realDisk.open
  return { ...realDisk, open }
}

describe('publishing', () => {
  it('makes the bytes durable before the name appears, and the name before it resolves', async () => {
    const dir = await temporaryDirectory()
    const steps: string[] = []
    const noting = <A extends unknown[], T>(
      step: string,
      run: (...args: A) => Promise<T>,
    ): ((...args: A) => Promise<T>) => {
      return async (...args) => {
        const result = await run(...args)
        steps.push(step)
        return result
      }
    }
    const open = (async (...args: Parameters<typeof realDisk.open>) => {
      const handle = await realDisk.open(...args)
      const what = args[1] === 'r' ? 'directory' : 'file'
      handle.sync = noting(`sync ${what}`, handle.sync.bind(handle))
      handle.close = noting(`close ${what}`, handle.close.bind(handle))
      return handle
    }) as typeof realDisk.open
    const link = noting('link', realDisk.link)
    const unlink = noting('unlink', realDisk.unlink)
    const announce = noting('announce', async () => {})
    const store = await openStore({ dir }, { ...realDisk, open, link, unlink })
    await store.write('image', streamOf('x'), writing({ announce }))
    expect(steps).toEqual([
      'sync file',
      'close file',
      'announce',
      'link',
      'unlink',
      'sync directory',
      'close directory',
    ])
    steps.length = 0
    await store.remove(join(dir, 'image'), reading)
    expect(steps).toEqual(['unlink', 'sync directory', 'close directory'])
  })

  it('takes the name away again when the directory cannot be made durable', async () => {
    const dir = await temporaryDirectory()
    let armed = false
    const store = await openStore(
      { dir },
      failingSync(() => armed),
    )
    armed = true
    await expect(store.write('image', streamOf('x'), writing())).rejects.toMatchObject({ code: 'EIO' })
    expect(await namesIn(dir)).toEqual([])
    armed = false
    await store.write('image', streamOf('x'), writing())
  })

  it('does not mind a file system that cannot sync directories', async () => {
    const dir = await temporaryDirectory()
    const open = (async (...args: Parameters<typeof realDisk.open>) => {
      const handle = await realDisk.open(...args)
      if (args[1] === 'r') handle.sync = () => Promise.reject(systemError('EINVAL'))
      return handle
    }) as typeof realDisk.open
    const store = await openStore({ dir }, { ...realDisk, open })
    await store.write('image', streamOf('x'), writing())
    expect(await namesIn(dir)).toEqual(['image'])
  })

  it('takes the name away again when the partial file cannot be removed', async () => {
    const dir = await temporaryDirectory()
    const { env, log } = environment()
    const unlink: typeof realDisk.unlink = (path) =>
      String(path).endsWith('.part') ? Promise.reject(systemError('EBUSY')) : realDisk.unlink(path)
    const store = await openStore({ dir }, { ...realDisk, unlink }, env)
    await expect(store.write('image', streamOf('x'), writing())).rejects.toMatchObject({ code: 'EBUSY' })
    expect((await namesIn(dir)).filter((name) => !name.startsWith('.'))).toEqual([])
    expect(log.map(({ message }) => message)).toEqual(['could not remove a partial file'])
  })

  it('undoes a write that is aborted after the name was given', async () => {
    const dir = await temporaryDirectory()
    const controller = new AbortController()
    const reason = new Error('too late')
    const linking: typeof realDisk.link = async (from, to) => {
      await realDisk.link(from, to)
      controller.abort(reason)
    }
    const store = await openStore({ dir }, { ...realDisk, link: linking })
    await expect(store.write('image', streamOf('x'), writing({ signal: controller.signal }))).rejects.toBe(reason)
    expect(await namesIn(dir)).toEqual([])
  })

  it('leaves alone what another process put there after the last look', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir })
    const announce = (at: string): Promise<void> => writeFile(at, 'theirs')
    await expect(store.write('image', streamOf('ours'), writing({ announce }))).rejects.toMatchObject({
      code: 'already_exists',
    })
    expect((await bytesAt(store, join(dir, 'image'))).toString()).toBe('theirs')
    expect(await namesIn(dir)).toEqual(['image'])
  })

  it('withdraws when another process wrote the key into another directory meanwhile', async () => {
    const [first, second] = [await temporaryDirectory(), await temporaryDirectory()]
    const store = await openStore({ dirs: [{ path: first, weight: 1 }, { path: second }] })
    const announce = (): Promise<void> => writeFile(join(second, 'image'), 'theirs')
    await expect(store.write('image', streamOf('ours'), writing({ announce }))).rejects.toMatchObject({
      code: 'already_exists',
    })
    expect([await namesIn(first), await namesIn(second)]).toEqual([[], ['image']])
  })

  it.each(['EEXIST', 'EIO', 'ETIMEDOUT'])(
    'knows a link that succeeded though its answer was %s, as on NFS',
    async (errno) => {
      const dir = await temporaryDirectory()
      const linking: typeof realDisk.link = async (from, to) => {
        await realDisk.link(from, to)
        throw systemError(errno)
      }
      const store = await openStore({ dir }, { ...realDisk, link: linking })
      const { at } = await store.write('image', streamOf('x'), writing())
      expect((await lstat(at)).nlink).toBe(1)
      expect(await namesIn(dir)).toEqual(['image'])
    },
  )
})

describe('publishing on a file system without hard links', () => {
  it.each(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS'])('renames under a lock after %s', async (errno) => {
    const dir = await temporaryDirectory()
    const seen: string[][] = []
    const rename: typeof realDisk.rename = async (from, to) => {
      seen.push(await namesIn(dirname(String(to))))
      await realDisk.rename(from, to)
    }
    const store = await openStore({ dir }, linkless(errno, { rename }))
    const { at } = await store.write('image', streamOf('abc'), writing())
    expect(seen).toEqual([expect.arrayContaining([lockName('image')])])
    expect((await bytesAt(store, at)).toString()).toBe('abc')
    expect(await namesIn(dir)).toEqual(['image'])
  })

  it('never replaces what exists', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir }, linkless())
    const announce = (at: string): Promise<void> => writeFile(at, 'theirs')
    await expect(store.write('image', streamOf('ours'), writing({ announce }))).rejects.toMatchObject({
      code: 'already_exists',
    })
    expect((await bytesAt(store, join(dir, 'image'))).toString()).toBe('theirs')
    expect(await namesIn(dir)).toEqual(['image'])
  })

  it('lets one of two processes win', async () => {
    const dir = await temporaryDirectory()
    const stores = [await openStore({ dir }, linkless()), await openStore({ dir }, linkless())]
    const results = await Promise.allSettled(stores.map((store) => store.write('image', streamOf('x'), writing())))
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(results).toContainEqual({ status: 'rejected', reason: expect.objectContaining({ code: 'already_exists' }) })
    expect(await namesIn(dir)).toEqual(['image'])
  })

  it('gives up before another process that holds the lock', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir }, linkless())
    await writeFile(join(dir, lockName('image')), 'somebody')
    await expect(store.write('image', streamOf('x'), writing())).rejects.toMatchObject({ code: 'already_exists' })
    expect(await namesIn(dir)).toEqual([lockName('image')])
  })

  it('leaves neither a name nor a lock when the rename fails', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir }, linkless('EPERM', { rename: () => Promise.reject(systemError('EIO')) }))
    await expect(store.write('image', streamOf('x'), writing())).rejects.toMatchObject({ code: 'EIO' })
    expect(await namesIn(dir)).toEqual([])
  })
})
