import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { appendFileSync, chownSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { file } from '@mullion/file'
import { createStores } from 'mullion'
import { assertSeeded, seededBytes, testStore } from 'mullion/testkit'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { type Disk, realDisk } from '../src/disk.ts'
import { bytesAt, openStore, streamOf, temporaryDirectory, writing } from './support.ts'

const COPIER = fileURLToPath(new URL('fixtures/copier.ts', import.meta.url))
/** Somebody whom file modes hold back. */
const NOBODY = 65_534

describeWithService(['XFS_DIR'], 'xfs.sh', 'file store where files can share blocks', ({ XFS_DIR }) => {
  const dir = mkdtempSync(join(XFS_DIR, 'mullion-'))
  afterAll(() => rmSync(dir, { recursive: true }))

  function ownDirectory(): string {
    const own = mkdtempSync(join(XFS_DIR, 'mullion-'))
    onTestFinished(() => rmSync(own, { recursive: true }))
    return own
  }

  testStore(
    { describe, it },
    { name: 'file (xfs)', unit: 1 << 20, open: () => file({ dir }), leftovers: () => readdirSync(dir) },
  )

  it('copies without taking room', async () => {
    await using stores = await createStores({ stores: { one: file({ dir }) }, default: 'one' })
    const size = 64 << 20
    const { location } = await stores.add(randomUUID(), seededBytes(1, size))
    const before = statfsSync(dir).bfree
    const copied = await stores.copy(location, { to: 'one', imageId: randomUUID() })
    const taken = (before - statfsSync(dir).bfree) * statfsSync(dir).bsize
    expect(copied).toMatchObject({ way: 'native', size })
    expect(taken).toBeLessThan(1 << 20)
    const { body } = await stores.get(copied.location)
    await assertSeeded(body, { seed: 1, length: size })
    await stores.delete(location)
    await stores.delete(copied.location)
  })

  it.each([
    ['what a write leaves', undefined],
    ['what is configured', '640'],
  ])('gives a copy the mode of %s, whatever that of its origin', async (_, permissions) => {
    const origins = await openStore({ dir: ownDirectory(), permissions: '440' })
    const store = await openStore({ dir: ownDirectory(), permissions })
    const { at } = await origins.write('origin', streamOf('an image'), writing())
    const written = await store.write('written', streamOf('another'), writing())
    const made = await store.copyFrom('copy', { store: origins, at }, { ...writing(), etag: undefined })
    const mode = (path: string): number => statSync(path).mode & 0o777
    expect(mode(made?.at ?? '')).toBe(mode(written.at))
    expect(mode(made?.at ?? '')).not.toBe(mode(at))
  })

  it('copies what its owner may only read', async () => {
    const own = ownDirectory()
    const uid = process.getuid?.() === 0 ? NOBODY : process.getuid?.()
    if (uid === NOBODY) chownSync(own, NOBODY, NOBODY)
    const options = uid === undefined ? {} : { uid }
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=@mullion/source', COPIER, own],
      options,
    )
    expect(stdout).toBe(`${uid} 8`)
    expect(readdirSync(own).toSorted()).toEqual(['copy', 'origin'])
  })

  it('refuses to copy an origin that is no longer what its etag says', async () => {
    const own = ownDirectory()
    const store = await openStore({ dir: own })
    const { at } = await store.write('origin', streamOf('an image'), writing())
    const { etag } = await store.stat(at, { signal: writing().signal })
    appendFileSync(at, ' that grew')
    await expect(store.copyFrom('copy', { store, at }, { ...writing(), etag })).rejects.toMatchObject({
      code: 'conflict',
      details: { expected: etag },
    })
    expect(readdirSync(own)).toEqual(['origin'])
    const made = await store.copyFrom('copy', { store, at }, { ...writing(), etag: undefined })
    expect(made?.size).toBe('an image that grew'.length)
    expect((await bytesAt(store, made?.at ?? '')).toString()).toBe('an image that grew')
  })

  it('takes back a copy whose origin changes while it is made', async () => {
    const own = ownDirectory()
    const copyFile: Disk['copyFile'] = async (from, to, mode) => {
      appendFileSync(join(own, 'origin'), '!')
      await realDisk.copyFile(from, to, mode)
    }
    const store = await openStore({ dir: own }, { ...realDisk, copyFile })
    const { at } = await store.write('origin', streamOf('an image'), writing())
    const { etag } = await store.stat(at, { signal: writing().signal })
    const copying = store.copyFrom('copy', { store, at }, { ...writing(), etag })
    await expect(copying).rejects.toMatchObject({ code: 'conflict' })
    expect(readdirSync(own)).toEqual(['origin'])
  })

  it('streams a copy to another file system', async () => {
    const elsewhere = await temporaryDirectory()
    const stores = await createStores({
      stores: { here: file({ dir }), there: file({ dir: elsewhere }) },
      default: 'here',
    })
    try {
      const key = randomUUID()
      const { location } = await stores.add(key, seededBytes(2, 100_000))
      const copied = await stores.copy(location, { to: 'there' })
      expect(copied).toMatchObject({ way: 'streamed', size: 100_000 })
      expect(readdirSync(elsewhere)).toEqual([key])
      await stores.delete(location)
    } finally {
      await stores.close()
    }
  })
})
