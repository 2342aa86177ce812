import { type ListedEntry, type PartialEntry, revealUri, type Stores } from 'mullion'
import { assertSeeded, seededBytes, seededStream, stallingSource } from 'mullion/testkit'
import { afterAll, describe, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { namesOf, open, sandbox, type Service, UNIT, v1Service } from './support.ts'

const SIZE = 3 * UNIT + 1

describeWithService(
  ['SWIFT_AUTH_URL', 'SWIFT_USER', 'SWIFT_KEY'],
  'swift.sh',
  'listing with Swift',
  ({ SWIFT_AUTH_URL, SWIFT_USER, SWIFT_KEY }) => lists(v1Service(SWIFT_AUTH_URL, SWIFT_USER, SWIFT_KEY), false),
)

describeWithService(
  ['RGW_SWIFT_AUTH_URL', 'RGW_SWIFT_USER', 'RGW_SWIFT_KEY'],
  'ceph.sh',
  'listing with radosgw',
  ({ RGW_SWIFT_AUTH_URL, RGW_SWIFT_USER, RGW_SWIFT_KEY }) =>
    lists(v1Service(RGW_SWIFT_AUTH_URL, RGW_SWIFT_USER, RGW_SWIFT_KEY), true),
)

type Tested = Stores<{ tested: ReturnType<ReturnType<typeof sandbox>['store']> }>

async function entriesOf(stores: Tested): Promise<readonly ListedEntry[]> {
  const found = []
  for await (const entry of stores.list('tested')) found.push(entry)
  return found
}

async function urisOf(stores: Tested): Promise<readonly string[]> {
  return (await entriesOf(stores)).flatMap((entry) => (entry.kind === 'object' ? [revealUri(entry.location)] : []))
}

async function partialsOf(stores: Tested): Promise<readonly PartialEntry[]> {
  return (await entriesOf(stores)).flatMap((entry) => (entry.kind === 'partial' ? [entry] : []))
}

function lists(service: Service, isRadosgw: boolean): void {
  const boxes = new Set<ReturnType<typeof sandbox>>()
  const newBox = (): ReturnType<typeof sandbox> => {
    const box = sandbox(service)
    boxes.add(box)
    return box
  }
  afterAll(async () => {
    for (const box of boxes) await box.remove()
  })

  /** Segments of a write that never ended. */
  async function left(box: ReturnType<typeof sandbox>, key: string, segments: number): Promise<string> {
    const prefix = `mullion/${box.container}/${key}/1-a/`
    for (const container of [box.container, `${box.container}_segments`]) await box.fetch('PUT', `/${container}`)
    for (let part = 1; part <= segments; part += 1) {
      await box.fetch('PUT', `/${box.container}_segments/${prefix}${String(part).padStart(8, '0')}`, { body: 'part' })
    }
    return prefix
  }

  describe('objects', () => {
    it('are none where there is no container yet', async () => {
      await using stores = await open(newBox())
      expect(await entriesOf(stores)).toEqual([])
    })

    it('have the size of all their segments, or none where the service tells that of the manifest', async () => {
      const box = newBox()
      await using stores = await open(box, { segmentSize: 16 * 1024 ** 2, largeObjectSize: 10 * 1024 ** 2 })
      await stores.add('small', seededBytes(1, 1000))
      await stores.add('whole', seededStream(1, 9 * 1024 ** 2), { size: 9 * 1024 ** 2 })
      await using segmented = await open(box)
      await segmented.add('large', seededStream(1, SIZE))
      const sizes = (await entriesOf(stores)).map(({ kind, size }) => [kind, size])
      const unless = <T>(size: T): T | undefined => (isRadosgw ? undefined : size)
      expect(sizes).toEqual([
        ['object', unless(SIZE)],
        ['object', unless(1000)],
        ['object', 9 * 1024 ** 2],
      ])
    })

    it.each([
      ['a seed', { multipleContainersSeed: 2 }],
      ['a segments container of their own', { segmentsContainer: 'shared' }],
      ['multiple tenants', { multiTenant: true }],
    ])('are told from all containers, with %s', async (_what, config) => {
      const box = newBox()
      const shared = 'segmentsContainer' in config ? { segmentsContainer: `${box.container}_shared` } : config
      await using stores = await open(box, shared)
      const written = []
      for (const key of ['aa1', 'aa2', 'bb1']) written.push((await stores.add(key, seededStream(1, SIZE))).location)
      await box.fetch('PUT', `/${box.container}_cc`)
      await box.fetch('PUT', `/${box.container}_cc/foreign`, { body: 'x' })
      expect([...(await urisOf(stores))].toSorted()).toEqual(written.map(revealUri).toSorted())
      expect(await partialsOf(stores)).toEqual([])
      for (const location of written) await stores.delete(location)
    })

    it('are not the segments of one that Glance stored', async () => {
      const box = newBox()
      await using stores = await open(box)
      await stores.add('img', seededBytes(1, 10))
      await stores.add('img-00001', seededBytes(1, 10))
      for (const segment of ['glance-00001', 'glance-00002']) {
        await box.fetch('PUT', `/${box.container}/${segment}`, { body: 'segment' })
      }
      const headers = { 'x-object-manifest': `${box.container}/glance-` }
      await box.fetch('PUT', `/${box.container}/glance`, { headers, body: '' })
      const found = (await entriesOf(stores)).flatMap((entry) =>
        entry.kind === 'object' ? [[revealUri(entry.location).split('/').at(-1), entry.size]] : [],
      )
      expect(found).toEqual([
        ['glance', undefined],
        ['img', isRadosgw ? undefined : 10],
        ['img-00001', isRadosgw ? undefined : 10],
      ])
    })
  })

  describe('segments without an object', () => {
    it('are one partial for each upload, and are removed with it', async () => {
      const box = newBox()
      const prefix = await left(box, 'one', 3)
      await left(box, 'two', 1)
      await box.fetch('PUT', `/${box.container}_segments/mullion/other/one/1-a/00000001`, { body: 'not ours' })
      await using stores = await open(box)
      const [one, two, ...more] = await partialsOf(stores)
      expect(more).toEqual([])
      expect(one).toMatchObject({ name: `${box.container}_segments/${prefix}`, size: 12 })
      expect(two).toMatchObject({ size: 4 })
      expect(Math.abs(Date.now() - Number(one?.modifiedAt))).toBeLessThan(60_000)
      await one?.remove()
      await one?.remove()
      expect(await namesOf(box, `${box.container}_segments`, prefix)).toEqual([])
      expect(await partialsOf(stores)).toMatchObject([{ name: two?.name }])
      await stores.add('one', seededBytes(1, 10)) // its name is free
    })

    it('stay when the upload went on, or became an object', async () => {
      const box = newBox()
      const prefix = await left(box, 'alive', 1)
      await using stores = await open(box)
      const [grown] = await partialsOf(stores)
      await box.fetch('PUT', `/${box.container}_segments/${prefix}00000002`, { body: 'part' })
      await expect(grown?.remove()).rejects.toMatchObject({ code: 'conflict' })
      const [published] = await partialsOf(stores)
      const headers = { 'x-object-meta-mullion-upload': '1-a' }
      await box.fetch('PUT', `/${box.container}/alive`, { headers, body: 'made of them' })
      await expect(published?.remove()).rejects.toMatchObject({ code: 'conflict' })
      expect(await namesOf(box, `${box.container}_segments`, prefix)).toHaveLength(2)
      expect(await partialsOf(stores)).toEqual([])
    })

    it('go although another upload made the object', async () => {
      const box = newBox()
      const prefix = await left(box, 'raced', 2)
      await using stores = await open(box)
      const { location } = await stores.add('raced', seededStream(7, SIZE))
      const [partial] = await partialsOf(stores)
      await partial?.remove()
      expect(await namesOf(box, `${box.container}_segments`, prefix)).toEqual([])
      await using got = await stores.get(location)
      await assertSeeded(got.body, { seed: 7, length: SIZE })
    })

    it('are told while they are written', async () => {
      await using stores = await open(newBox())
      const controller = new AbortController()
      const source = stallingSource(SIZE)
      const added = stores.add('under-way', source, { signal: controller.signal, size: SIZE + 1 })
      const ended = added.catch((error: unknown) => error)
      await source.stalled
      const stored = async (): Promise<readonly unknown[]> => (await entriesOf(stores)).map(({ size }) => size)
      await expect.poll(stored, { timeout: 10_000 }).toEqual([3 * UNIT])
      expect(await partialsOf(stores)).toHaveLength(1)
      controller.abort(new Error('enough'))
      await ended
      expect(await entriesOf(stores)).toEqual([])
    })

    it('stay while a writer publishes their object', async () => {
      const box = newBox()
      await left(box, 'claimed', 1)
      const headers = { 'x-object-meta-mullion-upload': 'theirs' }
      const claim = `/${box.container}_segments/mullion/${box.container}/claimed.claim`
      await box.fetch('PUT', claim, { headers, body: '' })
      await using stores = await open(box)
      const partials = await partialsOf(stores)
      expect(partials).toHaveLength(2)
      for (const partial of partials) await expect(partial.remove()).rejects.toMatchObject({ code: 'in_use' })
    })
  })
}
