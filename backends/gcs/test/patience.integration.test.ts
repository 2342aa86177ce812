import { randomBytes, randomUUID } from 'node:crypto'
import { createStores } from 'mullion'
import { expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { gcs } from '../src/index.ts'
import { bucketOn, CHUNK } from './service.ts'

const BYTES = randomBytes(3 * CHUNK + 1000)

async function* inChunks(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < BYTES.length; at += CHUNK) yield BYTES.subarray(at, at + CHUNK)
}

describeWithService(['GCS_ENDPOINT'], 'gcs.sh', 'gcs uploads', ({ GCS_ENDPOINT }) => {
  const bucket = bucketOn(GCS_ENDPOINT)

  it('go on after an answer that does not come although the core waits no longer than the store', async () => {
    const limitMs = 1000
    await using stores = await createStores({
      stores: { gcs: gcs(bucket.config({ responseTimeoutMs: limitMs })) },
      default: 'gcs',
      idleTimeoutMs: limitMs,
    })
    const key = randomUUID()
    await bucket.rule('hang', 'upload', { method: 'PUT', after: 1, times: 2 })
    let opened = 0
    await stores.add(key, () => {
      opened += 1
      return inChunks()
    })
    expect(opened).toBe(1)
    expect((await bucket.bytes(key)).equals(BYTES)).toBe(true)
  })
})
