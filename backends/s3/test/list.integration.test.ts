import type { Listed, ListedPartial, ListOptions } from 'mullion'
import { createStores } from 'mullion'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { createClient } from '../src/client.ts'
import { s3Config } from '../src/config.ts'
import { s3 } from '../src/index.ts'
import { list } from '../src/list.ts'
import type { S3Location } from '../src/location.ts'
import { between, saying } from './answers.ts'
import { bucketOn, CEPH_ENV, cephOf, type Service, SWIFT_ENV, swiftOf } from './support.ts'

const options: ListOptions = { signal: new AbortController().signal, alive() {} }

function lists(service: Service): void {
  const bucket = bucketOn(service)
  beforeAll(() => bucket.make())
  afterAll(() => bucket.remove())

  const put = (Key: string) => bucket.s3.putObject({ Bucket: bucket.name, Key, Body: 'four' })

  /** Begins an upload and leaves it with so many parts; a function that adds another. */
  async function begun(Key: string, parts: number): Promise<(part: number) => Promise<unknown>> {
    const place = { Bucket: bucket.name, Key }
    const { UploadId = '' } = await bucket.s3.createMultipartUpload(place)
    const add = (PartNumber: number) => bucket.s3.uploadPart({ ...place, UploadId, PartNumber, Body: 'part' })
    for (let part = 1; part <= parts; part += 1) await add(part)
    return add
  }

  async function listed(prefix: string, pageSize?: number): Promise<readonly Listed<S3Location>[]> {
    const settings = s3Config.parse(bucket.config({ prefix }))
    const client = await createClient(settings)
    const found = []
    for await (const entry of list({ client, settings, log() {} }, options, pageSize)) found.push(entry)
    client.close()
    return found
  }

  async function withPartial(prefix: string, use: (partial: ListedPartial) => Promise<void>): Promise<void> {
    await using stores = await createStores({ stores: { s3: s3(bucket.config({ prefix })) }, default: 's3' })
    let seen = 0
    for await (const entry of stores.list('s3')) {
      if (entry.kind !== 'partial') continue
      seen += 1
      await use(entry)
    }
    expect(seen).toBe(1)
  }

  it('tells nothing where there is nothing', async () => {
    expect(await listed('nothing/')).toEqual([])
  })

  it('tells objects and uploads below its prefix that can be its own, from however many pages', async () => {
    const keys = ['a', 'b', 'c', 'd', 'e']
    const foreign = ['pages/deep/er', 'pages/.hidden', 'pages/b lank', 'other/a', 'pages']
    for (const key of [...keys.map((each) => `pages/${each}`), ...foreign]) await put(key)
    for (const key of [...keys.map((each) => `pages/${each}`), ...foreign]) await begun(key, 1)
    const found = await listed('pages/', 2)
    const objects = found.flatMap((entry) => (entry.kind === 'object' ? [entry] : []))
    expect(objects.map(({ at }) => at)).toEqual(keys.map((key) => ({ bucket: bucket.name, key: `pages/${key}` })))
    expect(objects.map(({ size }) => size)).toEqual([4, 4, 4, 4, 4])
    const partials = found.flatMap((entry) => (entry.kind === 'partial' ? [entry] : []))
    expect(partials.map(({ name }) => name.replace(/\?uploadId=.+/, ''))).toEqual(
      keys.map((key) => `${bucket.name}/pages/${key}`),
    )
  })

  it('tells how much of an upload there is, and aborts it', async () => {
    await begun('left/image', 3)
    await withPartial('left/', async (partial) => {
      expect(partial.size).toBe(12)
      expect(Math.abs(Date.now() - Number(partial.modifiedAt))).toBeLessThan(60_000)
      await partial.remove(options)
      await partial.remove(options)
    })
    expect(await listed('left/')).toEqual([])
  })

  it('does not abort an upload that went on since', async () => {
    const add = await begun('alive/image', 1)
    await withPartial('alive/', async (partial) => {
      await add(2)
      await expect(partial.remove(options)).rejects.toMatchObject({ code: 'conflict' })
    })
    expect(await listed('alive/')).toHaveLength(1)
  })

  it('asks again for a page that fails for a moment', async () => {
    await put('shaky/a')
    const proxy = await between(service.endpoint)
    proxy.decide((_what, before) => (before === 0 ? { instead: saying(503, 'SlowDown') } : undefined))
    const config = bucket.config({ prefix: 'shaky/', endpoint: proxy.endpoint, staleUploadMs: false })
    await using stores = await createStores({ stores: { s3: s3(config) }, default: 's3' })
    const found = []
    for await (const entry of stores.list('s3')) found.push(entry)
    expect(found).toHaveLength(1)
    await proxy.close()
  })

  it('rejects when the bucket is missing', async () => {
    const config = { ...bucket.config(), bucket: `${bucket.name}-missing`, staleUploadMs: false as const }
    await using stores = await createStores({ stores: { s3: s3(config) }, default: 's3' })
    await expect(stores.list('s3')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'invalid_config' })
  })
}

describeWithService(CEPH_ENV, 'ceph.sh', 'listing with radosgw', (env) => {
  describe('a bucket', () => lists(cephOf(env)))
})

describeWithService(SWIFT_ENV, 'swift.sh', "listing with Swift's s3api", (env) => {
  describe('a bucket', () => lists(swiftOf(env)))
})
