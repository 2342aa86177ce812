import { randomUUID } from 'node:crypto'
import { type AnyStore, createStores, type StoreMap, type Stores, type StoreSpec } from 'mullion'
import { assertSeeded, seededBytes, seededStream } from 'mullion/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { type Between, between, type Decide, saying } from './answers.ts'
import { s3, type S3Config } from '../src/index.ts'
import { bucketOn, CEPH_ENV, cephOf, MIB, type Service, SWIFT_ENV, swiftOf } from './support.ts'

const SMALL = 70_000
const LARGE = 11 * MIB

function commits(service: Service): void {
  const bucket = bucketOn(service)
  const logged: string[] = []
  let proxy: Between
  beforeAll(async () => {
    proxy = await between(service.endpoint)
    await bucket.make()
  })
  afterAll(async () => {
    await proxy.close()
    await bucket.remove()
  })

  /** Runs `use` on a store behind the proxy, and expects that nothing but what it put there itself is left. */
  async function behind(decide: Decide, use: (stores: Stores) => Promise<void>, more: Partial<S3Config> = {}) {
    const before = await bucket.list()
    logged.length = 0
    const config = bucket.config({ endpoint: proxy.endpoint, staleUploadMs: false, idleTimeoutMs: 5000, ...more })
    const map: StoreMap = { tested: s3(config) as StoreSpec<AnyStore> }
    const stores = await createStores({
      stores: map,
      default: 'tested',
      retry: { attempts: 1 },
      log: (message) => void logged.push(message),
    })
    proxy.decide(decide)
    try {
      await use(stores)
    } finally {
      await stores.close()
    }
    expect(await bucket.list()).toEqual(before)
  }

  async function addsWhole(stores: Stores, size: number, key: string = randomUUID()): Promise<void> {
    const { location } = await stores.add(key, seededStream(1, size))
    await using got = await stores.get(location)
    await assertSeeded(got.body, { seed: 1, length: size })
    await stores.delete(location)
  }

  const once =
    (name: string, fate: ReturnType<Decide>): Decide =>
    (what, before) =>
      what === name && before === 0 ? fate : undefined

  it.each([
    ['PutObject', SMALL],
    ['UploadPart', LARGE],
    ['Complete', LARGE],
  ])('adds although the answer to %s is lost', async (name, size) => {
    await behind(once(name, { lost: true }), (stores) => addsWhole(stores, size))
  })

  it('adds although the service fails to complete, says so in a 200, and is busy', async () => {
    const fates = [saying(200, 'InternalError'), saying(503, 'SlowDown'), saying(500, 'InternalError')]
    const decide: Decide = (what, before) => {
      const instead = what === 'Complete' ? fates[before] : undefined
      return instead && { instead }
    }
    await behind(decide, (stores) => addsWhole(stores, LARGE))
    expect(proxy.seen.filter((what) => what === 'Complete')).toHaveLength(4)
  })

  it('sends a part again alone', async () => {
    await behind(once('UploadPart', { instead: saying(500, 'InternalError') }), (stores) => addsWhole(stores, LARGE))
    expect(proxy.seen.filter((what) => what === 'UploadPart')).toHaveLength(4)
    expect(proxy.seen.filter((what) => what === 'Create')).toHaveLength(1)
  })

  it.each([
    ['PutObject', SMALL],
    ['Complete', LARGE],
  ])('takes back what %s stored when every answer is lost', async (name, size) => {
    const decide: Decide = (what, before) => {
      if (what === name) return { lost: true }
      // the look after each try and no more: at the end the store must find out
      return what === 'Head' && before > 1 && before < 5 ? { instead: saying(503, 'SlowDown') } : undefined
    }
    await behind(
      decide,
      async (stores) => {
        const key = randomUUID()
        await expect(stores.add(key, seededStream(1, size))).rejects.toMatchObject({ code: 'unavailable' })
      },
      { uploadAttempts: 2, conditionalPut: false },
    )
    expect(logged).toEqual([])
  })

  it.each([
    ['PutObject', SMALL, 0],
    ['PutObject', SMALL, 1],
    ['Complete', LARGE, 1],
  ])('adds by %s although a look at the place fails once', async (_name, size, nth) => {
    const decide: Decide = (what, before) =>
      what === 'Head' && before === nth ? { instead: saying(503, 'SlowDown') } : undefined
    await behind(decide, (stores) => addsWhole(stores, size))
  })

  it.runIf(service.vendor === 'ceph')('takes back what a lost try stored when the next one is refused', async () => {
    const decide: Decide = (what, before) => {
      if (what === 'PutObject' && before === 0) return { lost: true }
      return what === 'Head' && before > 1 && before < 5 ? { instead: saying(503, 'SlowDown') } : undefined
    }
    const add = async (stores: Stores): Promise<void> => {
      await expect(stores.add(randomUUID(), seededStream(1, SMALL))).rejects.toMatchObject({ code: 'conflict' })
    }
    await behind(decide, add, { uploadAttempts: 2 })
    expect(logged).toEqual([])
  })

  it('takes away what arrives at the service after the signal has aborted', async () => {
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    const looked = Promise.withResolvers<void>()
    const late = (): Promise<void> => {
      controller.abort(reason)
      return looked.promise
    }
    const decide: Decide = (what, before) => {
      if (what === 'PutObject') return { late }
      return what === 'Head' && before === 2 ? { after: looked.resolve } : undefined
    }
    await behind(decide, async (stores) => {
      const add = stores.add(randomUUID(), seededStream(1, SMALL), { signal: controller.signal })
      await expect(add).rejects.toBe(reason)
    })
    expect(proxy.seen.filter((what) => what === 'Head').length).toBeGreaterThan(3)
    expect(proxy.seen).toContain('DeleteObject')
    expect(logged).toEqual([])
  })

  it.each([
    ['before its copy', 'UploadPartCopy', 'before'],
    ['after it', 'UploadPartCopy', 'after'],
  ] as const)('refuses to copy an origin that is replaced %s', async (_when, operation, moment) => {
    const Key = randomUUID()
    const place = { Bucket: bucket.name, Key }
    const replace = (): Promise<unknown> => bucket.s3.putObject({ ...place, Body: 'other' })
    await behind(once(operation, { [moment]: replace }), async (stores) => {
      await bucket.s3.putObject({ ...place, Body: seededBytes(1, SMALL) })
      const copy = stores.copy(`s3://${bucket.name}/${Key}`, { to: 'tested', imageId: randomUUID() })
      await expect(copy).rejects.toMatchObject({ code: 'conflict' })
      await bucket.s3.deleteObject(place)
    })
    expect(proxy.seen).not.toContain('Complete')
  })

  it('takes a copy back that has another size, where the service does not do what copyIfMatch says', async () => {
    const Key = randomUUID()
    const place = { Bucket: bucket.name, Key }
    const replace = (): Promise<unknown> => bucket.s3.putObject({ ...place, Body: 'other' })
    const use = async (stores: Stores): Promise<void> => {
      await bucket.s3.putObject({ ...place, Body: seededBytes(1, SMALL) })
      const copy = stores.copy(`s3://${bucket.name}/${Key}`, { to: 'tested', imageId: randomUUID() })
      await expect(copy).rejects.toMatchObject({ code: 'conflict' })
      await bucket.s3.deleteObject(place)
    }
    await behind(once('CopyObject', { before: replace }), use, { copyIfMatch: true })
    expect(logged).toEqual([])
  })

  it('says that it does not know when nobody can tell', async () => {
    let isGone = false
    const gone = (): void => {
      isGone = true
    }
    const decide: Decide = (what) => {
      if (isGone) return { instead: saying(503, 'SlowDown') }
      return what === 'Complete' ? { lost: true, after: gone } : undefined
    }
    const key = randomUUID()
    const add = async (stores: Stores): Promise<void> => {
      await expect(stores.add(key, seededStream(1, LARGE))).rejects.toMatchObject({ code: 'rate_limited' })
      await bucket.s3.deleteObject({ Bucket: bucket.name, Key: key })
    }
    await behind(decide, add, { uploadAttempts: 2 })
    expect(logged).toContain('could not find out whether a failed write left an object')
  })

  it.each([
    ['PutObject', SMALL],
    ['Complete', LARGE],
  ])('takes away what %s stores while the signal aborts', async (name, size) => {
    const controller = new AbortController()
    const reason = new Error('changed my mind')
    const decide = once(name, { after: () => controller.abort(reason) })
    await behind(decide, async (stores) => {
      const add = stores.add(randomUUID(), seededStream(1, size), { signal: controller.signal })
      await expect(add).rejects.toBe(reason)
    })
    expect(logged).toEqual([])
  })

  const [name, size] = service.vendor === 'ceph' ? ['PutObject', SMALL] : ['Complete', LARGE]
  it(`leaves alone what somebody stored just before ${name}`, async () => {
    const key = randomUUID()
    const other = seededBytes(2, 100)
    const place = { Bucket: bucket.name, Key: key }
    const decide = once(name, { before: () => bucket.s3.putObject({ ...place, Body: other }) })
    await behind(
      decide,
      async (stores) => {
        await expect(stores.add(key, seededStream(1, size))).rejects.toMatchObject({ code: 'already_exists' })
        const { Body } = await bucket.s3.getObject(place)
        expect(Buffer.from((await Body?.transformToByteArray()) ?? [])).toEqual(Buffer.from(other))
        await bucket.s3.deleteObject(place)
      },
      { conditionalComplete: service.vendor === 'swift' },
    )
  })

  it('refuses a key that was taken while its parts were on their way', async () => {
    const key = randomUUID()
    const place = { Bucket: bucket.name, Key: key }
    const decide = once('UploadPart', { before: () => bucket.s3.putObject({ ...place, Body: 'other' }) })
    await behind(decide, async (stores) => {
      await expect(stores.add(key, seededStream(1, LARGE))).rejects.toMatchObject({ code: 'already_exists' })
      await bucket.s3.deleteObject(place)
    })
    expect(proxy.seen).not.toContain('Complete')
  })

  it('explains a condition that the service does not take', async () => {
    const decide = once('PutObject', { instead: saying(501, 'NotImplemented') })
    await behind(decide, async (stores) => {
      const add = stores.add(randomUUID(), seededStream(1, SMALL))
      await expect(add).rejects.toMatchObject({ code: 'unsupported', message: /set conditionalPut/ })
    })
  })
}

describeWithService(CEPH_ENV, 'ceph.sh', 's3 store commits to radosgw', (env) => commits(cephOf(env)))
describeWithService(SWIFT_ENV, 'swift.sh', 's3 store commits to Swift', (env) => commits(swiftOf(env)))
