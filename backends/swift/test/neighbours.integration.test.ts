import { assertSeeded, seededBytes, seededStream } from 'mullion/testkit'
import { afterAll, describe, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { base, namesOf, open, type Sandbox, sandbox, type Service, UNIT, v1Service } from './support.ts'

const SIZE = 3 * UNIT + 1

describeWithService(
  ['SWIFT_AUTH_URL', 'SWIFT_USER', 'SWIFT_KEY'],
  'swift.sh',
  'Swift beside other stores',
  ({ SWIFT_AUTH_URL, SWIFT_USER, SWIFT_KEY }) => {
    spares(v1Service(SWIFT_AUTH_URL, SWIFT_USER, SWIFT_KEY))
  },
)

describeWithService(
  ['RGW_SWIFT_AUTH_URL', 'RGW_SWIFT_USER', 'RGW_SWIFT_KEY'],
  'ceph.sh',
  'radosgw beside other stores',
  ({ RGW_SWIFT_AUTH_URL, RGW_SWIFT_USER, RGW_SWIFT_KEY }) => {
    spares(v1Service(RGW_SWIFT_AUTH_URL, RGW_SWIFT_USER, RGW_SWIFT_KEY))
  },
)

function spares(service: Service): void {
  const box = sandbox(service)
  afterAll(() => box.remove())

  describe('segments of live images', () => {
    type Config = NonNullable<Parameters<Sandbox['store']>[0]>

    /** Lets a store of that configuration sweep as if all were old, until what it shall remove is gone: that comes last. */
    const swept = async (config: Config, spot: string, bait: string): Promise<void> => {
      await box.fetch('PUT', `/${spot}`)
      expect((await box.fetch('PUT', `/${spot}/mullion/${bait}/1-a/00000001`, { body: 'x' })).status).toBe(201)
      const spec = box.store({ staleUploadMs: 60_000, ...config })
      const store = await spec.open({ id: 's', now: () => Date.now() + 120_000, log: () => {} })
      const left = (): Promise<readonly string[]> => namesOf(box, spot, `mullion/${bait}/`)
      await expect.poll(left, { timeout: 20_000 }).toEqual([])
      await store.close()
    }

    const { container: c } = box
    it.each<[string, Config, Config, string, string]>([
      ['another seed of containers', {}, { multipleContainersSeed: 2 }, `${c}_zz_segments`, `${c}_zz/zz-bait`],
      [
        'another container',
        { segmentsContainer: `${c}_shared` },
        { container: `${c}_other`, segmentsContainer: `${c}_shared` },
        `${c}_shared`,
        `${c}_other/bait`,
      ],
      ['multiple tenants', { container: `${c}_b` }, { multiTenant: true }, `${c}_zz`, `${c}_zz/zz`],
    ])('are none of the business of a store with %s', async (_what, mine, theirs, spot, bait) => {
      await using stores = await open(box, mine)
      const { location } = await stores.add('3f2a5b6c', seededStream(11, SIZE))
      await swept(theirs, spot, bait)
      await using got = await stores.get(location)
      await assertSeeded(got.body, { seed: 11, length: SIZE })
      await stores.delete(location)
    })
  })

  describe('a manifest', () => {
    it('that names what are no segments of its object makes a deletion delete nothing', async () => {
      await using stores = await open(box)
      const { location: victim } = await stores.add('victim', seededBytes(1, 10))
      await box.fetch('PUT', `/${box.container}_far`)
      for (const place of ['/victi', '_far/evil-', '/100%zz']) {
        const manifest = box.container + place
        await box.fetch('PUT', `/${box.container}/evil`, { headers: { 'x-object-manifest': manifest }, body: '' })
        const evil = `${await base(service)}/${box.container}/evil`
        await expect(stores.delete(evil)).rejects.toMatchObject({ code: 'unavailable', retryable: false })
        expect((await box.fetch('HEAD', `/${box.container}/evil?multipart-manifest=get`)).status).toBe(200)
      }
      expect(await stores.getSizeFromBackend(victim)).toBe(10)
      await stores.delete(victim)
      await box.fetch('DELETE', `/${box.container}/evil`)
    })

    it('of Glance takes its own segments along, and no image whose name begins alike', async () => {
      await using stores = await open(box)
      const { location: beside } = await stores.add('img-2', seededBytes(1, 10))
      await box.fetch('PUT', `/${box.container}/img-00001`, { body: 'segment' })
      const headers = { 'x-object-manifest': `${box.container}/img-` }
      await box.fetch('PUT', `/${box.container}/img`, { headers, body: '' })
      await stores.delete(`${await base(service)}/${box.container}/img`)
      expect(await namesOf(box, box.container, 'img')).toEqual(['img-2'])
      await stores.delete(beside)
    })
  })

  describe('connections', () => {
    const config = { largeObjectSize: 8 * 1024 ** 2, maxConnections: 2, responseTimeoutMs: 10_000 }

    it('are enough for uploads that end together, however few', { timeout: 60_000 }, async () => {
      await using stores = await open(box, config, 1)
      const size = 1024 ** 2 + 13
      const both = Promise.withResolvers<undefined>()
      let waiting = 0
      async function* source(): AsyncGenerator<Uint8Array> {
        yield seededBytes(1, size - 3)
        waiting += 1
        if (waiting === 2) both.resolve(undefined)
        await both.promise
        yield seededBytes(1, 3, size - 3)
      }
      const added = await Promise.all(['one', 'two'].map((key) => stores.add(key, source(), { size })))
      for (const { location } of added) await stores.delete(location)
    })

    it('are left for short requests while downloads pause', { timeout: 60_000 }, async () => {
      await using stores = await open(box, { ...config, largeObjectSize: 64 * 1024 ** 2 }, 1)
      const size = 30 * 1024 ** 2
      const { location } = await stores.add('paused', seededStream(1, size), { size })
      const paused = [await stores.get(location), await stores.get(location)]
      for (const { body } of paused) await body[Symbol.asyncIterator]().next()
      expect(await stores.getSizeFromBackend(location)).toBe(size)
      await stores.delete(location)
      for (const got of paused) await got[Symbol.asyncDispose]()
    })
  })

  it('refuses a key whose container would be another one than of images', async () => {
    await using stores = await open(box, { multiTenant: true })
    await expect(stores.add('segments', seededBytes(1, 10))).rejects.toMatchObject({ code: 'invalid_argument' })
  })
}
