import { chmod, mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { prepareDirectories } from '../src/directories.ts'
import { type Disk, realDisk } from '../src/disk.ts'
import { openStore, systemError, temporaryDirectory } from './support.ts'

describe('opening a file store', () => {
  it('creates its directories and what leads to them', async () => {
    const root = await temporaryDirectory()
    await openStore({ dirs: [{ path: join(root, 'a/b/c') }, { path: join(root, 'd') }] })
    expect((await stat(join(root, 'a/b/c'))).isDirectory()).toBe(true)
    expect((await stat(join(root, 'd'))).isDirectory()).toBe(true)
  })

  it('makes every directory it created durable in its parent', async () => {
    const root = await temporaryDirectory()
    const synced: string[] = []
    const open = (async (path: string, flags: string) => {
      const handle = await realDisk.open(path, flags)
      const sync = handle.sync.bind(handle)
      handle.sync = () => sync().then(() => void synced.push(path))
      return handle
    }) as Disk['open']
    await prepareDirectories({ ...realDisk, open }, [{ path: join(root, 'a/b'), weight: 0 }], 'images')
    expect(synced).toEqual([join(root, 'a'), root])
    await prepareDirectories({ ...realDisk, open }, [{ path: join(root, 'a/b'), weight: 0 }], 'images')
    expect(synced).toHaveLength(2)
  })

  it.each([
    ['EACCES', 'permission_denied'],
    ['EPERM', 'permission_denied'],
    ['EROFS', 'permission_denied'],
    ['EIO', 'unavailable'],
    ['ENOSPC', 'storage_full'],
    ['EINVAL', 'internal'],
  ])('rejects with the name of a directory it cannot use: %s', async (errno, code) => {
    const dir = await temporaryDirectory()
    const disk: Disk = { ...realDisk, access: () => Promise.reject(systemError(errno)) }
    const message = `images: file store: cannot write to directory ${dir}: ${errno}`
    await expect(openStore({ dir }, disk)).rejects.toMatchObject({ code, message })
  })

  it.skipIf(process.getuid?.() === 0)('rejects a directory the user may not write to (root may)', async () => {
    const dir = await temporaryDirectory()
    await chmod(dir, 0o555)
    const message = `images: file store: cannot write to directory ${dir}: EACCES`
    await expect(openStore({ dir })).rejects.toMatchObject({ code: 'permission_denied', message })
  })

  it('refuses a path that is a file, or leads through one', async () => {
    const path = join(await temporaryDirectory(), 'file')
    await writeFile(path, '')
    for (const dir of [path, join(path, 'below')]) {
      const message = `images: file store: ${dir} is not a directory`
      await expect(openStore({ dir })).rejects.toMatchObject({ code: 'invalid_config', message })
    }
  })

  it('refuses two names of one directory', async () => {
    const dir = await temporaryDirectory()
    await mkdir(join(dir, 'real'))
    await symlink(join(dir, 'real'), join(dir, 'alias'))
    const opening = openStore({ dirs: [{ path: join(dir, 'real') }, { path: join(dir, 'alias') }] })
    await expect(opening).rejects.toMatchObject({ code: 'invalid_config' })
  })
})
