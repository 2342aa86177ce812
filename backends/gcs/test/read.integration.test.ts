import { randomBytes, randomUUID } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { collect, createStores, isMullionError } from 'mullion'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { faultProxy } from '../../../test/services/fault-proxy.mjs'
import { describeWithService } from '../../../test/services/require.ts'
import { gcs, type GcsLocation, type GcsStore } from '../src/index.ts'
import { bucketOn, never, openStore, readFrom, writeTo } from './service.ts'

const BYTES = randomBytes(3_000_000)

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

describeWithService(['GCS_ENDPOINT'], 'gcs.sh', 'gcs reads', ({ GCS_ENDPOINT }) => {
  const bucket = bucketOn(GCS_ENDPOINT)
  let store: GcsStore
  let at: GcsLocation
  beforeEach(async () => {
    await bucket.clear()
    store = await openStore(bucket.config())
    at = { bucket: bucket.name, object: randomUUID() }
  })
  afterEach(() => store.close())

  it('tell size and generation, the same as stat', async () => {
    const written = await writeTo(store, at.object, once(BYTES))
    const { bytes, size, etag } = await readFrom(store, at)
    expect(Buffer.from(bytes).equals(BYTES)).toBe(true)
    expect({ size, etag }).toEqual(await store.stat(at, { signal: never }))
    expect(etag).toBe(written.at.generation)
  })

  it('give names with every kind of character', async () => {
    for (const object of ['a b', 'ü/é', '%41', 'a+b', 'a?b#c&d=e', '💾', "!'()*", 'a//b', '/']) {
      await bucket.put(object, Buffer.from(object))
      const { bytes } = await readFrom(store, { bucket: bucket.name, object })
      expect(Buffer.from(bytes).toString()).toBe(object)
    }
  })

  it('give the stored bytes of what others stored packed, whole and in ranges', async () => {
    const packed = gzipSync(BYTES.subarray(0, 100_000))
    await bucket.put(at.object, packed, { contentEncoding: 'gzip' })
    const { bytes, size } = await readFrom(store, at)
    expect(Buffer.from(bytes).equals(packed)).toBe(true)
    expect(size).toBe(packed.length)
    expect((await store.stat(at, { signal: never })).size).toBe(packed.length)
    const part = await readFrom(store, at, { offset: 100, length: 1000 })
    expect(Buffer.from(part.bytes).equals(packed.subarray(100, 1100))).toBe(true)
    expect(part.size).toBe(packed.length)
  })

  it('do not go on in another version of the object', async () => {
    await bucket.put(at.object, BYTES)
    const proxy = await faultProxy({ target: Number(new URL(GCS_ENDPOINT).port) })
    const endpoint = `http://127.0.0.1:${proxy.port}`
    const stores = await createStores({ stores: { gcs: gcs(bucket.config({ endpoint })) }, default: 'gcs' })
    proxy.set({ cutDown: 1_000_000, times: 1 })
    const { body, etag } = await stores.get(`gs://${at.bucket}/${at.object}`)
    await body.next()
    await bucket.put(at.object, randomBytes(BYTES.length))
    const error = await collect(body).catch((thrown: unknown) => thrown)
    expect(isMullionError(error, 'conflict')).toBe(true)
    expect((await readFrom(store, at)).etag).not.toBe(etag)
    await stores.close()
    await proxy.close()
  })

  it('never call an image missing because its bucket is', async () => {
    const gone = { ...at, bucket: 'mullion-no-such-bucket' }
    for (const attempt of [
      () => store.read(gone, { offset: 0, length: undefined, signal: never }),
      () => store.stat(gone, { signal: never }),
      () => store.remove(gone, { signal: never }),
    ]) {
      const error = await attempt().catch((thrown: unknown) => thrown)
      expect(isMullionError(error, 'unavailable')).toBe(true)
    }
  })

  it.each([
    [401, 'authError', 'unauthenticated'],
    [403, 'forbidden', 'permission_denied'],
    [403, 'userRateLimitExceeded', 'rate_limited'],
    [429, 'rateLimitExceeded', 'rate_limited'],
    [500, 'backendError', 'unavailable'],
    [503, 'backendError', 'unavailable'],
  ])('that get %i %s say %s', async (code, reason, expected) => {
    const reading = (): Promise<unknown> => store.read(at, { offset: 0, length: undefined, signal: never })
    const isTold = reason !== 'userRateLimitExceeded' // answers to requests for bytes give no reason
    for (const attempt of [
      ...(isTold ? [reading] : []),
      () => store.stat(at, { signal: never }),
      () => store.remove(at, { signal: never }),
    ]) {
      await bucket.rule('fail', 'object', { code, reason })
      const error = await attempt().catch((thrown: unknown) => thrown)
      expect(isMullionError(error) && error.code).toBe(expected)
    }
  })

  it('remove what was written, and not what came after it', async () => {
    const written = await writeTo(store, at.object, once(BYTES))
    await bucket.put(at.object, new Uint8Array(5))
    const error = await store.remove(written.at, { signal: never }).catch((thrown: unknown) => thrown)
    expect(isMullionError(error, 'not_found')).toBe(true)
    expect(await bucket.bytes(at.object)).toHaveLength(5)
    await store.remove(at, { signal: never })
    expect(await bucket.list()).not.toContain(at.object)
  })

  it('own what lies in the bucket below the prefix', async () => {
    const below = await openStore(bucket.config({ prefix: 'images/' }))
    expect(store.owns(at)).toBe(true)
    expect(store.owns({ ...at, bucket: 'another' })).toBe(false)
    expect(below.owns(at)).toBe(false)
    expect(below.owns({ bucket: bucket.name, object: 'images/a' })).toBe(true)
    expect(below.owns({ bucket: bucket.name, object: 'images/' })).toBe(false)
    expect(below.owns({ bucket: bucket.name, object: 'images2/a' })).toBe(false)
    await below.close()
  })
})
