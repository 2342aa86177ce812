import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createStores, revealUri } from 'mullion'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { rbd, type RbdConfig } from '../src/index.ts'
import type { RbdStore } from '../src/store.ts'
import { bytesAt, type Ceph, cephPool, codeOf, ENV, openStore, signal, streamOf, writing } from './ceph.ts'

const MIB = 1 << 20
const sizes = [0, 1, 512, 4 * MIB - 1, 4 * MIB, 9 * MIB + 513]
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describeWithService(ENV, 'ceph.sh', 'an rbd store beside the rbd tool', (settings) => {
  let ceph: Ceph
  let dir: string
  beforeAll(async () => {
    ceph = await cephPool(settings)
    dir = await mkdtemp(join(tmpdir(), 'mullion-rbd-'))
  })
  afterAll(async () => {
    await ceph.remove()
    await rm(dir, { recursive: true })
  })

  async function open(config: Partial<RbdConfig> = {}): Promise<RbdStore> {
    const { store } = await openStore({ ...ceph.config, objectSize: 4 * MIB, ...config })
    onTestFinished(() => store.close())
    return store
  }
  const spec = (name: string): string => `${ceph.pool}/${name}`
  const file = (): string => join(dir, randomBytes(6).toString('hex'))

  it.each(sizes.flatMap((size) => [true, false].map((known) => ({ size, known }))))(
    'writes $size bytes (size announced: $known) that rbd export gives back',
    async ({ size, known }) => {
      const store = await open()
      const bytes = randomBytes(size)
      const path = file()
      const { at } = await store.write('ours', streamOf(bytes), writing({ size: known ? size : undefined }))
      await ceph.rbd('export', '--no-progress', spec('ours@snap'), path)
      expect(sha(await readFile(path))).toBe(sha(bytes))
      await ceph.rbd('export', '--no-progress', spec('ours'), `${path}.head`)
      expect(sha(await readFile(`${path}.head`))).toBe(sha(bytes))
      await store.remove(at, { signal })
    },
  )

  it.each(sizes.slice(1))('reads %i bytes that rbd import wrote, with snapshot and without', async (size) => {
    const store = await open()
    const bytes = randomBytes(size)
    const path = file()
    await writeFile(path, bytes)
    const name = `theirs-${size}`
    await ceph.rbd('import', '--no-progress', path, spec(name))
    await ceph.rbd('snap', 'create', '--no-progress', spec(`${name}@other`))
    const fsid = (await ceph.ceph('fsid')).trim()
    for (const at of [{ image: name }, { image: name, at: { fsid, pool: ceph.pool, snapshot: 'other' } }]) {
      expect((await store.stat(at, { signal })).size).toBe(size)
      expect(sha(await bytesAt(store, at))).toBe(sha(bytes))
      const middle = { offset: Math.floor(size / 2), length: 1000 }
      expect(sha(await bytesAt(store, at, middle))).toBe(sha(bytes.subarray(middle.offset, middle.offset + 1000)))
    }
    expect(await codeOf(store.stat({ image: name, at: { fsid, pool: ceph.pool, snapshot: 'none' } }, { signal }))).toBe(
      'not_found',
    )
  })

  it('leaves what copy-on-write clones need: a protected snapshot, and a location that says where', async () => {
    const stores = await createStores({ stores: { ceph: rbd(ceph.config) }, default: 'ceph' })
    onTestFinished(() => stores.close())
    const bytes = randomBytes(MIB)
    const { location } = await stores.add('5d1c4bc0-1f2e-4a6b-8c3d-000000000001', bytes)
    const [, , fsid = '', pool = '', image = '', snapshot = ''] = revealUri(location).split('/').map(decodeURIComponent)
    expect([fsid, pool]).toEqual([(await ceph.ceph('fsid')).trim(), ceph.pool])
    await ceph.rbd('clone', '--rbd-default-clone-format', '1', `${pool}/${image}@${snapshot}`, spec('disk'))
    await ceph.rbd('resize', '--no-progress', '--size', '8M', spec('disk'))
    await ceph.rbd('export', '--no-progress', spec('disk'), join(dir, 'disk'))
    expect(sha((await readFile(join(dir, 'disk'))).subarray(0, MIB))).toBe(sha(bytes))
    const info = JSON.parse(await ceph.rbd('info', '--format', 'json', spec(`${image}@snap`))) as object
    expect(info).toMatchObject({ protected: 'true', size: MIB, order: 23 })
  })

  it('creates images with the object size and the features that are configured', async () => {
    const store = await open({ objectSize: 65_536, features: ['layering', 'exclusive-lock'] })
    const bytes = randomBytes(200_000)
    const { at } = await store.write('special', streamOf(bytes), writing())
    const info = JSON.parse(await ceph.rbd('info', '--format', 'json', spec('special'))) as object
    expect(info).toMatchObject({ order: 16, features: ['layering', 'exclusive-lock'], size: 200_000 })
    expect(await bytesAt(store, at)).toEqual(bytes)
  })

  it('does not store runs of zeros when sparse, wherever the chunks are cut', async () => {
    const store = await open({ sparse: true, objectSize: MIB })
    const bytes = Buffer.alloc(40 * MIB)
    bytes.fill(7, 5 * MIB + 100, 5 * MIB + 200)
    bytes.fill(8, 30 * MIB, 31 * MIB)
    for (const step of [65_537, 3 * MIB, 40 * MIB]) {
      const name = `sparse-${step}`
      const chunks = Array.from({ length: Math.ceil(bytes.byteLength / step) }, (_, index) =>
        bytes.subarray(index * step, (index + 1) * step),
      )
      const { at } = await store.write(name, streamOf(...chunks), writing())
      expect(sha(await bytesAt(store, at))).toBe(sha(bytes))
      const used = JSON.parse(await ceph.rbd('du', '--format', 'json', spec(`${name}@snap`))) as {
        readonly images: readonly { readonly used_size: number }[]
      }
      expect(used.images[0]?.used_size).toBe(2 * MIB) // two objects
      const objects = await ceph.rbd('diff', '--whole-object', '--format', 'json', spec(`${name}@snap`))
      expect(JSON.parse(objects)).toHaveLength(2)
    }
  })

  it('keeps namespaces of a pool apart, and names them in locations', async () => {
    await ceph.rbd('namespace', 'create', spec('blue'))
    const [plain, blue] = [await open(), await open({ namespace: 'blue' })]
    const { at } = await blue.write('same', streamOf('blue'), writing())
    const other = await plain.write('same', streamOf('plain'), writing())
    expect(at.at).toMatchObject({ pool: ceph.pool, namespace: 'blue' })
    expect((await bytesAt(blue, at)).toString()).toBe('blue')
    expect((await bytesAt(plain, other.at)).toString()).toBe('plain')
    expect([plain.owns(at), blue.owns(at), plain.owns(other.at), blue.owns(other.at)]).toEqual([
      false,
      true,
      true,
      false,
    ])
    expect(await ceph.held(spec('blue'))).toEqual(['same', 'same@snap'])
    await blue.remove(at, { signal })
    await ceph.rbd('namespace', 'rm', spec('blue'))
  })
})
