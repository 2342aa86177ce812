import type { ByteStream, Listed, ListedPartial, ListOptions } from 'mullion'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { draftName } from '../src/draft.ts'
import type { RbdConfig, RbdLocation } from '../src/index.ts'
import type { RbdStore } from '../src/store.ts'
import { type Ceph, cephPool, codeOf, ENV, openStore, signal, streamOf, writing } from './ceph.ts'

const options: ListOptions = { signal, alive() {} }

describeWithService(ENV, 'ceph.sh', 'listing a pool', (settings) => {
  let ceph: Ceph
  beforeAll(async () => {
    ceph = await cephPool(settings)
  })
  afterAll(() => ceph.remove())

  async function opened(more: Partial<RbdConfig> = {}): Promise<RbdStore> {
    const { store } = await openStore({ ...ceph.config, staleUploadMs: false, ...more })
    onTestFinished(() => store.close?.())
    return store
  }

  async function entriesOf(store: RbdStore): Promise<readonly Listed<RbdLocation>[]> {
    const found = []
    for await (const entry of store.list(options)) found.push(entry)
    return found
  }

  async function onlyPartial(store: RbdStore): Promise<ListedPartial> {
    const [entry, ...more] = (await entriesOf(store)).filter((each) => each.kind === 'partial')
    if (!entry || more.length > 0) throw new Error('expected one partial')
    return entry
  }

  it('tells nothing where there is nothing', async () => {
    expect(await entriesOf(await opened())).toEqual([])
  })

  it('tells published images, and neither volumes of others nor what others call a snapshot', async () => {
    const store = await opened()
    const written = []
    for (let count = 0; count < 10; count += 1) {
      written.push((await store.write(`image-${count}`, streamOf('12345'), writing())).at)
    }
    await ceph.rbd('create', '--size', '1M', `${ceph.pool}/volume-1`)
    await ceph.rbd('create', '--size', '1M', `${ceph.pool}/volume-2`)
    await ceph.rbd('snap', 'create', `${ceph.pool}/volume-2@backup`)
    const found = await entriesOf(store)
    expect(found).toHaveLength(10)
    for (const at of written) {
      expect(found).toContainEqual({ kind: 'object', at, size: 5, modifiedAt: expect.any(Date) })
    }
    for (const { modifiedAt } of found) expect(Math.abs(Date.now() - Number(modifiedAt))).toBeLessThan(300_000)
    for (const at of written) await store.remove(at, { signal })
    for (const volume of ['volume-1', 'volume-2']) {
      await ceph.rbd('snap', 'purge', `${ceph.pool}/${volume}`)
      await ceph.rbd('rm', `${ceph.pool}/${volume}`)
    }
    expect(await entriesOf(store)).toEqual([])
  })

  it('tells an image that is being written as a partial, and keeps it for its writer', async () => {
    const store = await opened()
    const stalled = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    async function* slow(): ByteStream {
      yield new Uint8Array(1 << 20).fill(7)
      stalled.resolve()
      await go.promise
    }
    const written = store.write('slow', slow(), writing())
    await stalled.promise
    const partial = await onlyPartial(store)
    expect(partial.name).toContain(`${ceph.pool}/.slow.`)
    expect(await codeOf(partial.remove(options))).toBe('in_use')
    go.resolve()
    const { at } = await written
    await partial.remove(options)
    expect(await entriesOf(store)).toMatchObject([{ kind: 'object', at, size: 1 << 20 }])
    await store.remove(at, { signal })
  })

  it('removes what was not published, and entries that lead nowhere', async () => {
    const store = await opened()
    const name = draftName('left', Date.now())
    await ceph.rbd('create', '--size', '1M', `${ceph.pool}/${name}`)
    const partial = await onlyPartial(store)
    expect(partial).toMatchObject({ name: `${ceph.pool}/${name}`, size: 1 << 20 })
    await partial.remove(options)
    await partial.remove(options)
    expect(await ceph.held()).toEqual([])
  })

  it('keeps an image that has its key besides the name it was written under', async () => {
    const store = await opened()
    const name = draftName('twice', Date.now())
    await ceph.rbd('create', '--size', '1M', `${ceph.pool}/${name}`)
    await ceph.rados('cp', `rbd_id.${name}`, 'rbd_id.twice') // how far the first step of a rename gets
    const partial = await onlyPartial(store)
    expect(await codeOf(partial.remove(options))).toBe('conflict')
    expect(await ceph.held()).toEqual([name])
    await ceph.rados('rm', 'rbd_id.twice')
    await partial.remove(options)
    expect(await ceph.held()).toEqual([])
  })
})
