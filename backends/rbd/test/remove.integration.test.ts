import { isMullionError } from 'mullion'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import type { RbdConfig } from '../src/index.ts'
import type { RbdStore } from '../src/store.ts'
import { bytesAt, type Ceph, cephPool, codeOf, ENV, openStore, signal, streamOf, writing } from './ceph.ts'

const BYTES = Buffer.alloc(3_000_000, 'clone me')

describeWithService(ENV, 'ceph.sh', 'removing from an rbd store', (settings) => {
  let ceph: Ceph
  beforeAll(async () => {
    ceph = await cephPool(settings)
  })
  afterAll(() => ceph.remove())

  async function open(config: Partial<RbdConfig> = {}): Promise<RbdStore> {
    const { store } = await openStore({ ...ceph.config, ...config })
    onTestFinished(() => store.close())
    return store
  }
  const spec = (name: string): string => `${ceph.pool}/${name}`

  /** All that Ceph knows of an image, but for what changes by looking at it. */
  async function state(image: string): Promise<unknown> {
    const [info, snapshots] = await Promise.all([
      ceph.rbd('info', '--format', 'json', spec(image)),
      ceph.rbd('snap', 'ls', '--all', '--format', 'json', spec(image)),
    ])
    return [info.replace(/"access_timestamp":"[^"]*"/, ''), snapshots]
  }

  it.each(['1', '2'])('refuses while there is a clone of format %s, and changes nothing', async (format) => {
    const store = await open()
    const { at } = await store.write('parent', streamOf(BYTES), writing())
    const clone = spec('clone')
    await ceph.rbd('clone', '--rbd-default-clone-format', format, spec('parent@snap'), clone)
    const before = await state('parent')

    expect(await codeOf(store.remove(at, { signal }))).toBe('in_use')
    expect(await state('parent')).toEqual(before)
    expect(await bytesAt(store, at)).toEqual(BYTES)

    await ceph.rbd('flatten', '--no-progress', clone)
    await store.remove(at, { signal })
    expect(await codeOf(store.stat(at, { signal }))).toBe('not_found')
    await ceph.rbd('rm', '--no-progress', clone)
    expect(await ceph.held()).toEqual([])
  })

  it('counts a clone in the trash', async () => {
    const store = await open()
    const { at } = await store.write('parent', streamOf(BYTES), writing())
    await ceph.rbd('clone', spec('parent@snap'), spec('clone'))
    await ceph.rbd('trash', 'mv', spec('clone'))
    expect(await codeOf(store.remove(at, { signal }))).toBe('in_use')
    await ceph.rbd('trash', 'purge', '--no-progress', ceph.pool)
    await store.remove(at, { signal })
    expect(await ceph.held()).toEqual([])
  })

  it('refuses while somebody reads, in this process or another, and changes nothing', async () => {
    const store = await open()
    const other = await open()
    const { at } = await store.write('read', streamOf(BYTES), writing())
    for (const reader of [store, other]) {
      const { body } = await reader.read(at, { offset: 0, length: undefined, signal })
      const before = await state('read')
      const error: unknown = await store.remove(at, { signal }).catch((thrown: unknown) => thrown)
      expect(isMullionError(error, 'in_use') && error.message).toContain('it is open elsewhere')
      expect(await state('read')).toEqual(before)
      const seen: Uint8Array[] = []
      for await (const chunk of body) seen.push(chunk)
      expect(Buffer.concat(seen)).toEqual(BYTES)
    }
    await store.remove(at, { signal })
    expect(await ceph.held()).toEqual([])
  })

  it('refuses while there are other snapshots, and changes nothing', async () => {
    const store = await open()
    const { at } = await store.write('kept', streamOf(BYTES), writing())
    await ceph.rbd('snap', 'create', '--no-progress', spec('kept@mine'))
    const before = await state('kept')
    expect(await codeOf(store.remove(at, { signal }))).toBe('in_use')
    expect(await state('kept')).toEqual(before)
    await ceph.rbd('snap', 'rm', '--no-progress', spec('kept@mine'))
    await store.remove(at, { signal })
    expect(await ceph.held()).toEqual([])
  })

  it('moves what is depended on to the trash when that is configured: the name is free, clones live on', async () => {
    const store = await open({ trash: true })
    const { at } = await store.write('parent', streamOf(BYTES), writing())
    await ceph.rbd('clone', '--rbd-default-clone-format', '2', spec('parent@snap'), spec('clone'))
    await store.remove(at, { signal })
    expect(await codeOf(store.stat(at, { signal }))).toBe('not_found')
    expect(await ceph.held()).toEqual(['clone', expect.stringMatching(/^[0-9a-f]+ parent/)])

    const again = await store.write('parent', streamOf('another'), writing())
    await store.remove(again.at, { signal })
    await ceph.rbd('flatten', '--no-progress', spec('clone'))
    await ceph.rbd('rm', '--no-progress', spec('clone'))
    const [trashed = ''] = await ceph.held()
    const id = trashed.split(' ')[0] ?? ''
    await ceph.rbd('trash', 'restore', '--image', 'restored', '--pool', ceph.pool, id)
    await store.remove({ image: 'restored', at: { ...required(at.at) } }, { signal })
    expect(await ceph.held()).toEqual([])
  })

  it('can be repeated after it broke off half-way', async () => {
    const store = await open()
    const unprotect = ['snap', 'unprotect', spec('half@snap')]
    const mark = ['image-meta', 'set', spec('half'), 'mullion_removing', 'true']
    const drop = ['snap', 'rm', '--no-progress', spec('half@snap')]
    for (const steps of [[unprotect], [unprotect, mark], [unprotect, mark, drop]]) {
      const { at } = await store.write('half', streamOf(BYTES), writing())
      for (const step of steps) await ceph.rbd(...step)
      await store.remove(at, { signal })
      expect(await ceph.held()).toEqual([])
    }
  })

  it.each([false, true])('leaves an image alone that has no such snapshot (trash: %s)', async (trash) => {
    const store = await open({ trash })
    const { at } = await store.write('mistyped', streamOf(BYTES), writing())
    await ceph.rbd('create', '--size', '4M', spec('volume'))
    const before = await state('mistyped')
    const place = required(at.at)
    expect(await codeOf(store.remove({ ...at, at: { ...place, snapshot: 'nosuch' } }, { signal }))).toBe('not_found')
    expect(await codeOf(store.remove({ image: 'volume', at: place }, { signal }))).toBe('not_found')
    expect(await state('mistyped')).toEqual(before)
    expect((await ceph.held()).toSorted()).toEqual(['mistyped', 'mistyped@snap', 'volume'])
    await store.remove({ image: 'volume' }, { signal })
    await store.remove(at, { signal })
    expect(await ceph.held()).toEqual([])
  })

  it('refuses what lies in another cluster, also when it did not know its own before', async () => {
    const { at } = await (await open()).write('here', streamOf('x'), writing())
    const { at: place } = at
    const elsewhere = { ...at, at: { ...required(place), fsid: '11111111-2222-4333-8444-555555555555' } }
    const login = JSON.parse(await ceph.ceph('auth', 'get-key', `client.${ceph.pool}`, '--format', 'json')) as {
      readonly key: string
    }
    const stranger = { confFile: undefined, keyring: undefined, monHost: settings.RBD_MON_HOST, key: login.key }
    for (const ask of [
      (store: RbdStore) => store.remove(elsewhere, { signal }),
      (store: RbdStore) => store.stat(elsewhere, { signal }),
      (store: RbdStore) => store.read(elsewhere, { offset: 0, length: undefined, signal }),
    ]) {
      const store = await open(stranger)
      expect(store.owns(elsewhere)).toBe(true)
      expect(await codeOf(ask(store))).toBe('invalid_location')
      expect(await bytesAt(store, at)).toEqual(Buffer.from('x'))
    }
    await (await open()).remove(at, { signal })
    expect(await ceph.held()).toEqual([])
  })

  it('takes plain images too, which Glance calls by name alone', async () => {
    const store = await open()
    await ceph.rbd('create', '--size', '4M', spec('plain'))
    expect(await store.stat({ image: 'plain' }, { signal })).toEqual({ size: 4 << 20, etag: undefined })
    await store.remove({ image: 'plain' }, { signal })
    expect(await codeOf(store.remove({ image: 'plain' }, { signal }))).toBe('not_found')
    expect(await ceph.held()).toEqual([])
  })
})

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('there should be a value')
  return value
}
