import type { ListOptions } from 'mullion'
import { createStores } from 'mullion'
import { expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { createApi } from '../src/api.ts'
import { gcsConfig } from '../src/config.ts'
import { createCredentials } from '../src/credentials.ts'
import { createExchange } from '../src/exchange.ts'
import { gcs } from '../src/index.ts'
import { list } from '../src/list.ts'
import { pausing } from '../src/patience.ts'
import { bucketOn, never, openStore } from './service.ts'

const options: ListOptions = { signal: never, alive() {} }

describeWithService(['GCS_ENDPOINT'], 'gcs.sh', 'listing a bucket', ({ GCS_ENDPOINT }) => {
  const bucket = bucketOn(GCS_ENDPOINT)

  /** Names, sizes and times from pages of so many entries. */
  async function listed(prefix: string, pageSize: number): Promise<readonly (readonly [string, unknown, unknown])[]> {
    const settings = gcsConfig.parse(bucket.config({ prefix }))
    const exchange = createExchange(settings)
    const api = createApi(settings, exchange, await createCredentials(settings, exchange))
    const patience = { attempts: 1, pause: pausing(exchange.closing) }
    const found: (readonly [string, unknown, unknown])[] = []
    for await (const entry of list({ api, patience, bucket: bucket.name, prefix }, options, pageSize)) {
      if (entry.kind === 'object') found.push([entry.at.object, entry.size, entry.modifiedAt])
    }
    exchange.close()
    return found
  }

  it('tells nothing where there is nothing', async () => {
    expect(await listed('nothing/', 10)).toEqual([])
  })

  it('tells the objects below its prefix that can be its own, from however many pages', async () => {
    const own = ['a', 'b', 'c', 'd', 'e'].map((key) => `pages/${key}`)
    for (const name of [...own, 'pages/deep/er', 'pages/.hidden', 'pages/b lank', 'pages', 'other']) {
      await bucket.put(name, Buffer.from('four'))
    }
    for (const pageSize of [1, 2, 500]) {
      expect(await listed('pages/', pageSize)).toEqual(own.map((name) => [name, 4, expect.any(Date)]))
    }
  })

  it('asks again for a page that fails for a moment', async () => {
    await bucket.put('shaky/a', Buffer.from('four'))
    const store = await openStore(bucket.config({ prefix: 'shaky/' }))
    await bucket.rule('fail', 'list', { status: 503, times: 2 })
    const found = []
    for await (const entry of store.list(options)) found.push(entry)
    expect(found).toHaveLength(1)
    await bucket.clear()
    await store.close?.()
  })

  it('rejects when the bucket is missing', async () => {
    await using stores = await createStores({
      stores: { gcs: gcs(bucket.config({ bucket: `${bucket.name}-missing` })) },
      default: 'gcs',
    })
    await expect(stores.list('gcs')[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'unavailable',
      retryable: false,
    })
  })
})
