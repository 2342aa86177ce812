import { randomBytes } from 'node:crypto'
import type { ByteStream } from 'mullion'
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { draftName } from '../src/draft.ts'
import type { RbdConfig } from '../src/index.ts'
import { bytesAt, type Ceph, cephPool, codeOf, ENV, openStore, signal, streamOf, writing } from './ceph.ts'

const DAY_MS = 86_400_000

describeWithService(ENV, 'ceph.sh', 'writing to an rbd store', (settings) => {
  let ceph: Ceph
  beforeAll(async () => {
    ceph = await cephPool(settings)
  })
  afterAll(() => ceph.remove())

  async function open(config: Partial<RbdConfig> = {}, now?: () => number): ReturnType<typeof openStore> {
    const opened = await openStore({ ...ceph.config, ...config }, now)
    onTestFinished(() => opened.store.close())
    return opened
  }
  const spec = (name: string): string => `${ceph.pool}/${name}`

  it('lets one of two services win a key; the loser leaves the winner alone', async () => {
    const stores = await Promise.all([open(), open()])
    for (let round = 0; round < 5; round++) {
      const key = `contested-${round}`
      let arrived = 0
      let go: () => void = () => {}
      const both = new Promise<void>((resolve) => {
        go = resolve
      })
      // both have found the name free and written all bytes before either goes on to publish
      const announce = (): Promise<void> => {
        arrived += 1
        if (arrived === 2) go()
        return both
      }
      const outcomes = await Promise.allSettled(
        stores.map(({ store }, index) => store.write(key, streamOf(`writer ${index}`), writing({ announce }))),
      )
      const won = outcomes.findIndex(({ status }) => status === 'fulfilled')
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected')
          expect(await codeOf(Promise.reject(outcome.reason as Error))).toBe('already_exists')
        else expect((await bytesAt(stores[0].store, outcome.value.at)).toString()).toBe(`writer ${won}`)
      }
      expect(await ceph.held()).toEqual([key, `${key}@snap`])
      for (const outcome of outcomes) {
        if (outcome.status === 'fulfilled') await stores[1].store.remove(outcome.value.at, { signal })
      }
    }
  })

  it('takes a complete image away again when the signal aborts while it is published', async () => {
    const { store } = await open()
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    const announce = async (): Promise<void> => controller.abort(reason)
    const write = store.write('aborted', streamOf('x'), writing({ announce, signal: controller.signal }))
    await expect(write).rejects.toBe(reason)
    expect(await ceph.held()).toEqual([])
  })

  it('sweeps what a crash left once it is old enough, and nobody has it open', async () => {
    const now = Date.now()
    const [old, recent, finished, halfRenamed] = [
      draftName('old', now - 8 * DAY_MS),
      draftName('recent', now - 6 * DAY_MS),
      draftName('finished', now - 9 * DAY_MS),
      draftName('renamed', now - 9 * DAY_MS),
    ]
    for (const name of [old, recent, finished, halfRenamed]) await ceph.rbd('create', '--size', '8M', spec(name))
    await ceph.rados('cp', `rbd_id.${halfRenamed}`, 'rbd_id.renamed') // how far the first step of a rename gets
    for (const name of ['.foreign', 'plain.part']) await ceph.rbd('create', '--size', '8M', spec(name))
    await ceph.rbd('snap', 'create', '--no-progress', spec(`${finished}@snap`))
    await ceph.rbd('snap', 'protect', spec(`${finished}@snap`))

    const live = await open({}, () => now - 10 * DAY_MS)
    let go: () => void = () => {}
    const held = new Promise<void>((resolve) => {
      go = resolve
    })
    async function* slow(): ByteStream {
      yield Buffer.from('still ')
      await held
      yield Buffer.from('alive')
    }
    const written = live.store.write('live', slow(), writing())
    await vi.waitFor(async () => expect(await ceph.held()).toContainEqual(expect.stringMatching(/^\.live\./)))

    const { log } = await open({}, () => now)
    await vi.waitFor(() => expect(log).toHaveLength(3), { timeout: 20_000 })
    expect(log.map(({ fields }) => String(fields['image'])).toSorted()).toEqual([old, finished, halfRenamed].toSorted())
    expect((await ceph.held()).filter((name) => !name.startsWith('.live.')).toSorted()).toEqual(
      ['.foreign', recent, halfRenamed, 'plain.part'].toSorted(),
    )
    // nobody knows whether that was published
    expect(log.find(({ fields }) => fields['key'] === 'renamed')?.message).toMatch(/^kept an image/)
    expect((await bytesAt(live.store, { image: 'renamed' })).byteLength).toBe(8 << 20)
    await ceph.rados('rm', 'rbd_id.renamed')
    await ceph.rbd('rm', '--no-progress', spec(halfRenamed))
    go()
    const { at } = await written
    expect((await bytesAt(live.store, at)).toString()).toBe('still alive')
    await live.store.remove(at, { signal })
    for (const name of ['.foreign', 'plain.part', recent]) await ceph.rbd('rm', '--no-progress', spec(name))
  })

  it('fails when the directory of the pool has the key already, which a rename does not say', async () => {
    const { store } = await open()
    await ceph.rbd('create', '--size', '4M', spec('stale'))
    await ceph.rados('rm', 'rbd_id.stale') // how far a removal may have got
    const error: unknown = await store.write('stale', streamOf('x'), writing()).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'unavailable', message: expect.stringContaining('name_stale') as string })
    expect(await ceph.rados('ls')).not.toContain('.stale.')
    await ceph.rbd('rm', '--no-progress', spec('stale')) // as the message says
    const { at } = await store.write('stale', streamOf('fresh'), writing())
    expect((await bytesAt(store, at)).toString()).toBe('fresh')
    await store.remove(at, { signal })
    expect(await ceph.held()).toEqual([])
  })

  it('copies within the cluster without the bytes passing here, also from another pool', async () => {
    const { store } = await open({ objectSize: 1 << 20 })
    const bytes = Buffer.concat([randomBytes(5 << 20), Buffer.alloc(3 << 20), randomBytes(12_345)])
    const { at } = await store.write('original', streamOf(bytes), writing())
    const { size, etag } = await store.stat(at, { signal })

    const copied = await store.copyFrom('copy', { store, at }, { ...writing({ size }), etag })
    expect(copied).toMatchObject({ size: bytes.byteLength, at: { image: 'copy', at: { snapshot: 'snap' } } })
    await store.remove(at, { signal })
    if (copied) expect(await bytesAt(store, copied.at)).toEqual(bytes)
    const used = JSON.parse(
      await ceph.rbd('diff', '--whole-object', '--format', 'json', spec('copy@snap')),
    ) as unknown[]
    expect(used.length).toBeLessThan(9)

    const wide = { user: 'admin', keyring: settings.RBD_ADMIN_KEYRING }
    const elsewhere = (await open({ ...wide, namespace: undefined })).store
    if (copied) {
      const { etag: second } = await store.stat(copied.at, { signal })
      const options = { ...writing({ size }), etag: second }
      const again = await elsewhere.copyFrom('again', { store, at: copied.at }, options)
      expect(again && (await bytesAt(elsewhere, again.at))).toEqual(bytes)
      expect(await codeOf(store.copyFrom('copy', { store, at: copied.at }, options))).toBe('already_exists')
      expect(await codeOf(store.copyFrom('third', { store, at: copied.at }, { ...options, etag }))).toBe('conflict')
      expect(await store.copyFrom('none', { store: {}, at: copied.at }, options)).toBeUndefined()
      if (again) await elsewhere.remove(again.at, { signal })
      await store.remove(copied.at, { signal })
    }
    expect(await ceph.held()).toEqual([])
  })

  it('cannot copy by itself what its user may not see, and has done nothing', async () => {
    const { store } = await open()
    const other = (
      await openStore({
        pool: settings.RBD_POOL,
        user: settings.RBD_USER,
        confFile: settings.RBD_CEPH_CONF,
        keyring: settings.RBD_KEYRING,
      })
    ).store
    onTestFinished(() => other.close())
    const { at } = await other.write(`foreign-${ceph.pool}`, streamOf('x'), writing())
    const { size, etag } = await other.stat(at, { signal })
    expect(await store.copyFrom('x', { store: other, at }, { ...writing({ size }), etag })).toBeUndefined()
    await other.remove(at, { signal })
    expect(await ceph.held()).toEqual([])
  })
})
