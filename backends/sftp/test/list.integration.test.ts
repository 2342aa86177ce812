import { appendFileSync, linkSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Listed, ListedPartial, ListOptions } from 'mullion'
import { expect, it, onTestFinished, vi } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { lockName, partialName } from '../src/partial.ts'
import type { SftpLocation } from '../src/location.ts'
import type { SftpStore } from '../src/store.ts'
import { configFor, ENV, makeDirectory, namesIn, never, openFilesIn, openStore, removeDirectory } from './support.ts'

const options: ListOptions = { signal: never, alive() {} }

describeWithService(ENV, 'sftp.sh', 'listing a directory', (service) => {
  async function opened(): Promise<{ readonly root: string; readonly store: SftpStore }> {
    const root = makeDirectory(service)
    const store = await openStore(configFor(service, root, { staleUploadMs: false }))
    onTestFinished(async () => {
      await store.close()
      removeDirectory(root)
    })
    return { root, store }
  }

  async function entriesOf(store: SftpStore): Promise<readonly Listed<SftpLocation>[]> {
    const found = []
    for await (const entry of store.list(options)) found.push(entry)
    return found
  }

  async function onlyPartial(store: SftpStore): Promise<ListedPartial> {
    const [entry, ...more] = (await entriesOf(store)).filter((each) => each.kind === 'partial')
    if (!entry || more.length > 0) throw new Error('expected one partial')
    return entry
  }

  it('tells nothing of one that is empty', async () => {
    const { store } = await opened()
    expect(await entriesOf(store)).toEqual([])
  })

  it('tells all files that have the name of a key, however many answers that takes', async () => {
    const { root, store } = await opened()
    const names = Array.from({ length: 1001 }, (_, index) => `image-${String(index).padStart(4, '0')}`)
    for (const name of names) writeFileSync(join(root, name), 'four')
    utimesSync(join(root, 'image-0000'), 1000, 1000)
    const found = (await entriesOf(store)).flatMap((entry) => (entry.kind === 'object' ? [entry] : []))
    expect(found.map(({ at }) => at.path).toSorted()).toEqual(names.map((name) => join(root, name)))
    expect(new Set(found.map(({ size }) => size))).toEqual(new Set([4]))
    expect(found.find(({ at }) => at.path.endsWith('-0000'))?.modifiedAt).toEqual(new Date(1_000_000))
  })

  it('neither follows links and directories nor tells names that no key can be', async () => {
    const { root, store } = await opened()
    mkdirSync(join(root, 'below'))
    writeFileSync(join(root, 'below', 'image'), '')
    for (const name of ['with blank', 'naïve', '.hidden', '.image.part']) writeFileSync(join(root, name), '')
    symlinkSync('/etc/passwd', join(root, 'link'))
    symlinkSync(join(root, 'below'), join(root, 'linked'))
    expect(await entriesOf(store)).toEqual([])
  })

  it('rejects rather than take a directory that is gone for an empty one', async () => {
    const { root, store } = await opened()
    removeDirectory(root)
    await expect(entriesOf(store)).rejects.toMatchObject({ code: 'unavailable', retryable: false })
  })

  it('closes the directory when its reader leaves', async () => {
    const { root, store } = await opened()
    for (const name of ['a', 'b', 'c']) writeFileSync(join(root, name), '')
    for await (const _ of store.list(options)) break
    await vi.waitFor(() => expect(openFilesIn(root)).toBe(0))
  })

  it('tells partial files and locks, and removes those that did not change', async () => {
    const { root, store } = await opened()
    const names = [partialName('image'), lockName('image')]
    for (const name of names) writeFileSync(join(root, name), 'half')
    const found = (await entriesOf(store)).flatMap((entry) => (entry.kind === 'partial' ? [entry] : []))
    expect(found.map(({ name }) => name).toSorted()).toEqual(names.map((name) => join(root, name)).toSorted())
    expect(found.map(({ size }) => size)).toEqual([4, 4])
    for (const partial of found) await partial.remove(options)
    for (const partial of found) await partial.remove(options)
    expect(namesIn(root)).toEqual([])
  })

  it('keeps a partial file to which something was written since', async () => {
    const { root, store } = await opened()
    const path = join(root, partialName('image'))
    writeFileSync(path, 'half')
    const partial = await onlyPartial(store)
    appendFileSync(path, ' more')
    await expect(partial.remove(options)).rejects.toMatchObject({ code: 'conflict' })
    expect(namesIn(root)).toHaveLength(1)
  })

  it('removes a partial file without the object that it is another name of', async () => {
    const { root, store } = await opened()
    const path = join(root, partialName('image'))
    writeFileSync(path, 'whole')
    linkSync(path, join(root, 'image'))
    await (await onlyPartial(store)).remove(options)
    expect(namesIn(root)).toEqual(['image'])
  })
})
