import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, link, mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Listed, ListedPartial, ListOptions } from 'mullion'
import { describe, expect, it } from 'vitest'
import { realDisk } from '../src/disk.ts'
import { lockName, partialName } from '../src/partial.ts'
import { formatIdentity, type ProcessIdentity, thisProcess } from '../src/process.ts'
import type { FileStore } from '../src/store.ts'
import { gate, namesIn, openFiles, openStore, streamOf, systemError, temporaryDirectory, writing } from './support.ts'

const self = await thisProcess()
const elsewhere: ProcessIdentity = { host: 'ffffffff', pid: process.pid, start: self.start }
const options: ListOptions = { signal: new AbortController().signal, alive() {} }

async function entriesOf(store: FileStore): Promise<readonly Listed<string>[]> {
  const found = []
  for await (const entry of store.list(options)) found.push(entry)
  return found
}

async function partialsOf(store: FileStore): Promise<readonly ListedPartial[]> {
  return (await entriesOf(store)).filter((entry) => entry.kind === 'partial')
}

async function onlyPartial(store: FileStore): Promise<ListedPartial> {
  const [partial, ...more] = await partialsOf(store)
  if (!partial || more.length > 0) throw new Error(`expected one partial, got ${more.length + (partial ? 1 : 0)}`)
  return partial
}

describe('listing directories', () => {
  it('tells nothing of one that is empty', async () => {
    expect(await entriesOf(await openStore({ dir: await temporaryDirectory() }))).toEqual([])
  })

  it('tells regular files that have the name of a key, in all directories', async () => {
    const [a, b] = [await temporaryDirectory(), await temporaryDirectory()]
    const store = await openStore({ dirs: [{ path: a, weight: 1 }, { path: b }] })
    await store.write('one', streamOf('12345'), writing())
    await writeFile(join(b, 'two'), '1')
    await utimes(join(b, 'two'), 1000, 1000)
    const found = await entriesOf(store)
    expect(found).toHaveLength(2)
    expect(found).toContainEqual({ kind: 'object', at: join(a, 'one'), size: 5, modifiedAt: expect.any(Date) })
    expect(found).toContainEqual({ kind: 'object', at: join(b, 'two'), size: 1, modifiedAt: new Date(1_000_000) })
  })

  it('neither follows links and directories nor tells names that no key can be', async () => {
    const dir = await temporaryDirectory()
    const outside = await temporaryDirectory()
    await writeFile(join(outside, 'secret'), '')
    await symlink(join(outside, 'secret'), join(dir, 'link'))
    await symlink(outside, join(dir, 'linked'))
    await mkdir(join(dir, 'lost+found'))
    await mkdir(join(dir, 'below'))
    await writeFile(join(dir, 'below', 'image'), '')
    for (const name of ['with blank', 'naïve', '.hidden', '.image.part', 'x~']) await writeFile(join(dir, name), '')
    expect(await entriesOf(await openStore({ dir }))).toEqual([])
  })

  it('passes over what was deleted while it was told', async () => {
    const dir = await temporaryDirectory()
    await writeFile(join(dir, 'gone'), '')
    const lstat = (async () => Promise.reject(systemError('ENOENT'))) as unknown as typeof realDisk.lstat
    expect(await entriesOf(await openStore({ dir }, { ...realDisk, lstat }))).toEqual([])
  })

  it('rejects rather than take a directory that is gone for an empty one', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir })
    await rm(dir, { recursive: true })
    await expect(entriesOf(store)).rejects.toMatchObject({ code: 'unavailable', retryable: false })
  })

  it('closes the directory when its reader leaves or aborts', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir })
    for (const name of ['a', 'b', 'c']) await writeFile(join(dir, name), '')
    for await (const _ of store.list(options)) break
    const controller = new AbortController()
    const read = async (): Promise<void> => {
      for await (const _ of store.list({ ...options, signal: controller.signal })) controller.abort(new Error('enough'))
    }
    await expect(read()).rejects.toThrow('enough')
    expect(await openFiles(dir)).toBe(0)
  })
})

describe('a partial file', () => {
  it('is told while it is written, and kept for its writer', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir })
    const [stalled, go] = [gate(), gate()]
    const body = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(1 << 20)
      stalled.open()
      await go.opened
    }
    const written = store.write('image', body(), writing())
    await stalled.opened
    const [entry, ...more] = await entriesOf(store)
    expect(more).toEqual([])
    expect(entry).toMatchObject({ kind: 'partial', name: expect.stringContaining(join(dir, '.image.')) })
    const partial = await onlyPartial(store)
    const refused = await partial.remove(options).catch((error: unknown) => error)
    expect(['in_use', 'conflict']).toContain((refused as { code?: unknown }).code) // it may grow meanwhile
    go.open()
    await written
    expect(await namesIn(dir)).toEqual(['image'])
    await partial.remove(options)
    expect(await namesIn(dir)).toEqual(['image'])
  })

  it('is removed when nobody here knows its writer and it has not changed', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir })
    const name = partialName('image', elsewhere)
    await writeFile(join(dir, name), 'half')
    await utimes(join(dir, name), 1000, 1000)
    const partial = await onlyPartial(store)
    expect(partial).toMatchObject({ name: join(dir, name), size: 4, modifiedAt: new Date(1_000_000) })
    await partial.remove(options)
    expect(await namesIn(dir)).toEqual([])
    await partial.remove(options)
  })

  it('is kept when something was written to it since', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir })
    const path = join(dir, partialName('image', elsewhere))
    await writeFile(path, 'half')
    const partial = await onlyPartial(store)
    await appendFile(path, ' more')
    await expect(partial.remove(options)).rejects.toMatchObject({ code: 'conflict' })
    expect(await namesIn(dir)).toHaveLength(1)
  })

  it('is removed without the object that it is another name of', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir })
    const path = join(dir, partialName('image', elsewhere))
    await writeFile(path, 'whole')
    await link(path, join(dir, 'image'))
    await (await onlyPartial(store)).remove(options)
    expect(await namesIn(dir)).toEqual(['image'])
  })

  it('may be a lock, which is kept while its owner runs', async () => {
    const dir = await temporaryDirectory()
    const store = await openStore({ dir })
    const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
    await once(child, 'exit')
    await writeFile(join(dir, lockName('mine')), formatIdentity(self))
    await expect((await onlyPartial(store)).remove(options)).rejects.toMatchObject({ code: 'in_use' })
    await writeFile(join(dir, lockName('mine')), formatIdentity({ ...self, pid: child.pid ?? 0 }))
    await (await onlyPartial(store)).remove(options)
    expect(await namesIn(dir)).toEqual([])
  })
})
