import { execFileSync } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { location } from '../src/location.ts'
import type { FileStore } from '../src/store.ts'
import { bytesAt, openFiles, openStore, reading, streamOf, temporaryDirectory, writing } from './support.ts'

let root: string
let dir: string
let store: FileStore

/** `root/images` is the store; `root/canary` and `root/images2/canary` must never be touched. */
beforeEach(async () => {
  root = await temporaryDirectory()
  dir = join(root, 'images')
  store = await openStore({ dir })
  await mkdir(join(root, 'images2'))
  await writeFile(join(root, 'canary'), 'alive')
  await writeFile(join(root, 'images2', 'canary'), 'alive')
})

/** All three verbs refuse, nothing is opened for long, and nothing outside was removed. */
async function expectRefused(at: string, code: unknown = 'invalid_location'): Promise<void> {
  await expect(store.read(at, reading)).rejects.toMatchObject({ code })
  await expect(store.stat(at, reading)).rejects.toMatchObject({ code })
  await expect(store.remove(at, reading)).rejects.toMatchObject({ code })
  expect(await openFiles(root)).toBe(0)
  expect(await readFile(join(root, 'canary'), 'utf8')).toBe('alive')
  expect(await readFile(join(root, 'images2', 'canary'), 'utf8')).toBe('alive')
}

describe('a path outside the directories', () => {
  it.each([
    '/etc/passwd',
    '/dev/zero',
    '/proc/self/environ',
    '<dir>/../canary',
    '<dir>/./../canary',
    '<dir>/x/../../canary',
    '<dir>2/canary',
    '<dir>',
    '<dir>/',
    '<dir>/.',
    '<dir>//canary',
    '<dir>/canary/',
    '<dir>/x\0',
    'images/canary',
    'canary',
    '',
  ])('is not owned and not touched: %j', async (text) => {
    const at = text.replace('<dir>', dir)
    expect(store.owns(at)).toBe(false)
    await expectRefused(at)
  })

  it('does not become one inside by an encoding', () => {
    for (const trick of ['..%2fcanary', '%2e%2e/canary', '%2e%2e%2fcanary', '../canary']) {
      expect(() => location.parse(`file://${dir}/${trick}`)).toThrow()
    }
  })
})

describe('a path inside', () => {
  it('is owned by its text alone, and may lie deeper', async () => {
    await mkdir(join(dir, 'old'))
    await writeFile(join(dir, 'old', 'image'), 'legacy')
    expect(store.owns(join(dir, 'nothing'))).toBe(true)
    expect((await bytesAt(store, join(dir, 'old', 'image'))).toString()).toBe('legacy')
  })

  it('is not owned when a name begins with a dot: those are partial files', async () => {
    await writeFile(join(dir, '.image.part'), 'half')
    expect(store.owns(join(dir, '.image.part'))).toBe(false)
    await expectRefused(join(dir, '.image.part'))
  })

  it('survives every character a directory may have', async () => {
    const odd = join(root, 'a b%2e#c?d ü 日本\\"\'\n')
    const other = await openStore({ dir: odd })
    const { at } = await other.write('image', streamOf('x'), writing())
    const uri = location.format(at)
    expect(location.format(location.parse(uri))).toBe(uri)
    expect(other.owns(location.parse(uri))).toBe(true)
    expect((await bytesAt(other, location.parse(uri))).toString()).toBe('x')
  })

  it('is refused when it is a symbolic link, wherever that leads', async () => {
    await writeFile(join(dir, 'target'), 'inside')
    await symlink(join(root, 'canary'), join(dir, 'out'))
    await symlink('target', join(dir, 'in'))
    await symlink('nowhere', join(dir, 'dangling'))
    await expect(store.read(join(dir, 'out'), reading)).rejects.toMatchObject({ code: 'ELOOP' })
    for (const name of ['out', 'in', 'dangling']) {
      await expect(store.read(join(dir, name), reading)).rejects.toMatchObject({ code: 'ELOOP' })
      await expect(store.stat(join(dir, name), reading)).rejects.toMatchObject({ code: 'invalid_location' })
      await expect(store.remove(join(dir, name), reading)).rejects.toMatchObject({ code: 'invalid_location' })
      await expect(store.write(name, streamOf('x'), writing())).rejects.toMatchObject({ code: 'already_exists' })
    }
    expect(await readFile(join(root, 'canary'), 'utf8')).toBe('alive')
  })

  it('does not lead out through a linked directory', async () => {
    await symlink(join(root, 'images2'), join(dir, 'link'))
    await symlink('..', join(dir, 'up'))
    await expectRefused(join(dir, 'link', 'canary'))
    await expectRefused(join(dir, 'up', 'canary'))
  })

  it('is reached when the store itself is behind a link', async () => {
    await symlink(dir, join(root, 'alias'))
    const alias = await openStore({ dir: join(root, 'alias') })
    const { at } = await alias.write('image', streamOf('x'), writing())
    expect(at).toBe(join(root, 'alias', 'image'))
    expect((await bytesAt(alias, at)).toString()).toBe('x')
    await alias.remove(at, reading)
  })

  it('is refused when it is a directory', async () => {
    await mkdir(join(dir, 'folder'))
    await expectRefused(join(dir, 'folder'))
  })

  it('is refused when it is a FIFO, without waiting for somebody to write', async () => {
    execFileSync('mkfifo', [join(dir, 'fifo')])
    await expectRefused(join(dir, 'fifo'))
  })

  it('is refused when it is a socket', async () => {
    const server = createServer().listen(join(dir, 'socket'))
    onTestFinished(() => void server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    await expect(store.read(join(dir, 'socket'), reading)).rejects.toMatchObject({ code: 'ENXIO' })
    await expect(store.remove(join(dir, 'socket'), reading)).rejects.toMatchObject({ code: 'invalid_location' })
  })
})
