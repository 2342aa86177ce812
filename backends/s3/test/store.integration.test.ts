import { randomUUID } from 'node:crypto'
import { createStores, type StoreEnv } from 'mullion'
import { assertSeeded, seededBytes, seededStream } from 'mullion/testkit'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { between, saying } from './answers.ts'
import { s3, type S3Config } from '../src/index.ts'
import { bucketOn, CEPH_ENV, cephOf, MIB, type Service, SWIFT_ENV, swiftOf } from './support.ts'

const HOUR_MS = 3_600_000

function works(service: Service): void {
  const bucket = bucketOn(service)
  beforeAll(() => bucket.make())
  afterAll(() => bucket.remove())

  const open = (more: Partial<S3Config> = {}, env: Partial<StoreEnv> = {}) =>
    createStores({ stores: { s3: s3(bucket.config(more)) }, default: 's3', retry: { attempts: 1 }, ...env })

  /** Begins an upload and leaves it; answers how `list` shows it. */
  async function abandoned(Key: string): Promise<string> {
    const place = { Bucket: bucket.name, Key }
    const { UploadId = '' } = await bucket.s3.createMultipartUpload(place)
    await bucket.s3.uploadPart({ ...place, UploadId, PartNumber: 1, Body: 'left' })
    return `${Key}?uploadId=${UploadId}`
  }

  it('sweeps what a crash left below its prefix when it opens, and nothing else', async () => {
    const own = [await abandoned('images/one'), await abandoned('images/two')]
    const others = [await abandoned('one'), await abandoned('images/deep/one'), await abandoned('images-2')]
    const swept: string[] = []
    const done = Promise.withResolvers<void>()
    const log: StoreEnv['log'] = (message, fields) => {
      swept.push(`${message}: ${String(fields?.['key'])}?uploadId=${String(fields?.['uploadId'])}`)
      if (swept.length === own.length) done.resolve()
    }
    const config = { prefix: 'images/', staleUploadMs: HOUR_MS }
    const early = await open(config, { log })
    await early.close()
    expect(swept).toEqual([])
    const wrong = await open(config, { log, now: () => Date.now() + 2 * HOUR_MS })
    await wrong.close()
    expect(swept).toEqual([])
    const proxy = await between(service.endpoint)
    const headers = { date: new Date(Date.now() + 2 * HOUR_MS).toUTCString() }
    proxy.decide((what) => (what === 'ListUploads' ? { headers } : undefined))
    const late = await open({ ...config, endpoint: proxy.endpoint }, { log })
    await done.promise
    await late.close()
    await proxy.close()
    expect(swept.toSorted()).toEqual(own.map((upload) => `aborted an abandoned upload: ${upload}`).toSorted())
    expect([...(await bucket.list())].toSorted()).toEqual(others.toSorted())
  })

  it('sweeps on when one upload cannot be aborted, and says so', async () => {
    const [refused, other] = [await abandoned('refused/1'), await abandoned('refused/2')]
    const proxy = await between(service.endpoint)
    const headers = { date: new Date(Date.now() + 2 * HOUR_MS).toUTCString() }
    proxy.decide((what, before) => {
      if (what === 'ListUploads') return { headers }
      return what === 'AbortMultipartUpload' && before === 0 ? { instead: saying(403, 'AccessDenied') } : undefined
    })
    const swept: string[] = []
    const done = Promise.withResolvers<void>()
    const log: StoreEnv['log'] = (message, fields) => {
      if (swept.push(`${message}: ${String(fields?.['key'])}`) === 2) done.resolve()
    }
    const stores = await open({ endpoint: proxy.endpoint, prefix: 'refused/', staleUploadMs: HOUR_MS }, { log })
    await done.promise
    await stores.close()
    await proxy.close()
    expect(swept).toEqual(['could not abort an abandoned upload: refused/1', 'aborted an abandoned upload: refused/2'])
    expect(await bucket.list()).toContain(refused)
    expect(await bucket.list()).not.toContain(other)
  })

  it('opens although it cannot look for abandoned uploads, and says so', async () => {
    const proxy = await between(service.endpoint)
    proxy.decide((what) => (what === 'ListUploads' ? { instead: { status: 403, body: '' } } : undefined))
    const logged = Promise.withResolvers<string>()
    const stores = await open({ endpoint: proxy.endpoint }, { log: logged.resolve })
    expect(await logged.promise).toBe('could not look for abandoned uploads')
    await stores.close()
    await proxy.close()
  })

  it('closes at once while it looks for abandoned uploads', async () => {
    const proxy = await between(service.endpoint)
    const asked = Promise.withResolvers<void>()
    const never = new Promise(() => {})
    const waiting = async (): Promise<void> => {
      asked.resolve()
      await never
    }
    proxy.decide(() => ({ before: waiting }))
    const stores = await open({ endpoint: proxy.endpoint })
    await asked.promise
    await stores.close()
    await proxy.close()
  })

  it.runIf(service.vendor === 'ceph')('lets one of many writers of an object of one part win', async () => {
    await using stores = await open()
    const key = randomUUID()
    const adds = [1, 2, 3, 4, 5, 6].map(async (seed) => {
      const { location } = await stores.add(key, seededStream(seed, 300_000))
      return { seed, location }
    })
    const outcomes = await Promise.allSettled(adds)
    const winners = outcomes.filter((outcome) => outcome.status === 'fulfilled')
    expect(winners).toHaveLength(1)
    for (const { value } of winners) {
      await using got = await stores.get(value.location)
      await assertSeeded(got.body, { seed: value.seed, length: 300_000 })
    }
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'already_exists' })
    }
  })

  it.each<[string, Partial<S3Config>, number, readonly number[]]>([
    ['grow', { maxParts: 8 }, 30 * MIB, [5, 5, 10, 10]],
    ['stay equal', { maxParts: 8, equalParts: true }, 17 * MIB, [5, 5, 5, 2]],
  ])('sends parts that %s when it does not know the size', async (_what, more, size, expected) => {
    await using stores = await open(more)
    const { location } = await stores.add(randomUUID(), seededStream(1, size))
    await using got = await stores.get(location)
    await assertSeeded(got.body, { seed: 1, length: size })
    const { ETag } = await bucket.s3.headObject({ Bucket: bucket.name, Key: String(location).split('/').pop() ?? '' })
    expect(ETag).toMatch(new RegExp(`-${expected.length}"$`))
    await stores.delete(location)
  })

  it('refuses more than all its parts can hold, and leaves nothing', async () => {
    await using stores = await open({ maxParts: 2, equalParts: true })
    const before = await bucket.list()
    const add = stores.add(randomUUID(), seededStream(1, 11 * MIB))
    await expect(add).rejects.toMatchObject({ code: 'too_large', details: { limit: 10 * MIB } })
    expect(await bucket.list()).toEqual(before)
  })

  it.each([
    ['refuses it', { instead: saying(400, 'BadDigest') }],
    ['has other bytes', { headers: { etag: `"${'0'.repeat(32)}"` } }],
  ])('sends a part again when the service %s', async (_why, fate) => {
    const proxy = await between(service.endpoint)
    await using stores = await open({ endpoint: proxy.endpoint, staleUploadMs: false })
    proxy.decide((what, before) => (what === 'UploadPart' && before === 0 ? fate : undefined))
    const { location } = await stores.add(randomUUID(), seededStream(1, 11 * MIB))
    expect(proxy.seen.filter((what) => what === 'UploadPart')).toHaveLength(4)
    await stores.delete(location)
    await proxy.close()
  })

  it('says that it works while it sends a part, and when it sends one again', async () => {
    const proxy = await between(service.endpoint)
    const instead = saying(500, 'InternalError')
    proxy.decide((what, before) => (what === 'UploadPart' && before === 0 ? { instead } : undefined))
    const config = bucket.config({ endpoint: proxy.endpoint, staleUploadMs: false })
    const store = await s3(config).open({ id: 's3', now: Date.now, log() {} })
    const { signal } = new AbortController()
    let told = 0
    const alive = (): void => void (told += 1)
    const options = { signal, size: 11 * MIB, metadata: {}, announce: async () => {}, alive }
    const { at } = await store.write(randomUUID(), seededStream(1, 11 * MIB), options)
    await store.remove(at, { signal })
    await store.close()
    await proxy.close()
    // a block of 1 MiB each, at least one of the first try, and the try itself
    expect(told).toBeGreaterThanOrEqual(11 + 1 + 1)
  })

  it('takes a whole object back when the service has other bytes', async () => {
    const proxy = await between(service.endpoint)
    await using stores = await open({ endpoint: proxy.endpoint, staleUploadMs: false })
    const before = await bucket.list()
    proxy.decide((what) => (what === 'PutObject' ? { headers: { etag: `"${'0'.repeat(32)}"` } } : undefined))
    const add = stores.add(randomUUID(), seededStream(1, 1000))
    await expect(add).rejects.toMatchObject({ code: 'unavailable', message: /DigestMismatch/ })
    expect(await bucket.list()).toEqual(before)
    await proxy.close()
  })

  it('uses the credentials of the environment when it is given none', async () => {
    const { accessKeyId, secretAccessKey, ...rest } = bucket.config()
    process.env['AWS_ACCESS_KEY_ID'] = accessKeyId ?? ''
    process.env['AWS_SECRET_ACCESS_KEY'] = secretAccessKey ?? ''
    try {
      await using stores = await createStores({ stores: { s3: s3(rest) }, default: 's3' })
      const { location } = await stores.add(randomUUID(), seededBytes(1, 100))
      await stores.delete(location)
    } finally {
      delete process.env['AWS_ACCESS_KEY_ID']
      delete process.env['AWS_SECRET_ACCESS_KEY']
    }
  })

  it('says that the bucket is missing rather than the object', async () => {
    await using stores = await open({ bucket: 'no-such-bucket-of-mullion' })
    const uri = 's3://no-such-bucket-of-mullion/id'
    const wanted = { code: 'invalid_config', message: /NoSuchBucket/ }
    await expect(stores.get(uri)).rejects.toMatchObject(wanted)
    await expect(stores.getSizeFromBackend(uri)).rejects.toMatchObject(wanted)
    await expect(stores.delete(uri)).rejects.toMatchObject(wanted)
    await expect(stores.add('id', seededBytes(1, 10))).rejects.toMatchObject(wanted)
  })

  it('does not take a slow reader for a silent service', async () => {
    await using stores = await open({ idleTimeoutMs: 300 })
    const { location } = await stores.add(randomUUID(), seededStream(1, 4 * MIB))
    await using got = await stores.get(location)
    async function* slowly(): AsyncGenerator<Uint8Array> {
      let count = 0
      for await (const chunk of got.body) {
        if (count === 0) await new Promise((resolve) => void setTimeout(resolve, 700))
        count += 1
        yield chunk
      }
    }
    await assertSeeded(slowly(), { seed: 1, length: 4 * MIB })
    await stores.delete(location)
  })
}

describeWithService(CEPH_ENV, 'ceph.sh', 's3 store on radosgw', (env) => works(cephOf(env)))
describeWithService(SWIFT_ENV, 'swift.sh', 's3 store on Swift', (env) => works(swiftOf(env)))
