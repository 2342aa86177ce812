import { randomBytes, randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { createStores, type ErrorCode, isMullionError } from 'mullion'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { gcs, type GcsStore } from '../src/index.ts'
import { bucketOn, CHUNK, openStore, readFrom, writeTo } from './service.ts'

/** Three chunks and a bit. */
const BYTES = randomBytes(3 * CHUNK + 1000)

async function* inPieces(bytes: Uint8Array, size = 100_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describeWithService(['GCS_ENDPOINT'], 'gcs.sh', 'gcs uploads', ({ GCS_ENDPOINT }) => {
  const bucket = bucketOn(GCS_ENDPOINT)
  let store: GcsStore
  let key: string
  const said: string[] = []
  beforeEach(async () => {
    key = randomUUID()
    said.length = 0
    await bucket.clear()
    store = await openStore(bucket.config(), (message) => said.push(message))
  })
  afterEach(() => store.close())

  const write = (options?: Parameters<typeof writeTo>[3]) => writeTo(store, key, inPieces(BYTES), options)
  const expectStored = async (): Promise<void> => {
    expect((await bucket.bytes(key)).equals(BYTES)).toBe(true)
    expect(await bucket.list()).not.toContain(`upload of ${key}`)
  }
  const expectNothing = async (): Promise<void> => {
    const list = await bucket.list()
    expect(list).not.toContain(key)
    expect(list).not.toContain(`upload of ${key}`)
    expect(said).toEqual([])
  }
  async function expectRefused(code: ErrorCode, options?: Parameters<typeof writeTo>[3]): Promise<unknown> {
    const error = await failureOf(write(options))
    expect(isMullionError(error) ? error.code : error).toBe(code)
    return error
  }

  it('go in chunks of the size that was configured, the last one with the size and the checksum', async () => {
    const { at } = await write({ metadata: { os: 'debian' } })
    await expectStored()
    const ranges = (await bucket.log()).map(({ contentRange }) => contentRange).filter(Boolean)
    expect(ranges.slice(-4)).toEqual([
      `bytes 0-${CHUNK - 1}/*`,
      `bytes ${CHUNK}-${2 * CHUNK - 1}/*`,
      `bytes ${2 * CHUNK}-${3 * CHUNK - 1}/*`,
      `bytes ${3 * CHUNK}-${BYTES.length - 1}/${BYTES.length}`,
    ])
    expect(await bucket.metadata(key)).toMatchObject({
      contentType: 'application/octet-stream',
      metadata: { os: 'debian' },
      generation: at.generation,
    })
  })

  it('are opened, and the place known to be free, before the first byte is read', async () => {
    await bucket.put(key, new Uint8Array(1))
    let isRead = false
    let isAnnounced = false
    async function* source(): AsyncGenerator<Uint8Array> {
      isRead = true
      yield new Uint8Array(1)
    }
    const announce = async (): Promise<void> => {
      isAnnounced = true
    }
    const error = await failureOf(writeTo(store, key, source(), { announce }))
    expect(isMullionError(error, 'already_exists')).toBe(true)
    expect([isRead, isAnnounced]).toEqual([false, false])
    expect(await bucket.bytes(key)).toHaveLength(1)
    expect(await bucket.list()).not.toContain(`upload of ${key}`)
  })

  it('go on where the service says when it keeps only part of a chunk', async () => {
    await store.close()
    store = await openStore(bucket.config({ chunkSize: 3 * CHUNK }))
    await bucket.rule('short', 'upload', { bytes: CHUNK, times: 2 })
    await write()
    await expectStored()
  })

  it('try again when the service keeps nothing, and give up when it never does', async () => {
    await bucket.rule('short', 'upload', { bytes: 0, times: 1 })
    await write()
    await expectStored()
    key = randomUUID()
    await bucket.rule('short', 'upload', { bytes: 0, times: 4 })
    await expectRefused('unavailable')
    await expectNothing()
  })

  describe.each([503, 500, 408, 429])('survive an answer %i', (code) => {
    it.each([
      ['to the look for an object', 'object', 'GET', 0],
      ['to the start', 'upload', 'POST', 0],
      ['to the first chunk', 'upload', 'PUT', 0],
      ['to a chunk in the middle', 'upload', 'PUT', 1],
      ['to the last chunk', 'upload', 'PUT', 3],
    ] as const)('%s', async (_, where, method, after) => {
      await bucket.rule('fail', where, { code, method, after })
      await write()
      await expectStored()
    })

    it('to a chunk and then to the question what was kept', async () => {
      await bucket.rule('fail', 'upload', { code, method: 'PUT', after: 1, times: 2 })
      await write()
      await expectStored()
    })
  })

  it('are asked to wait by the service, and do', async () => {
    await bucket.rule('fail', 'upload', { code: 503, method: 'PUT', retryAfter: 1 })
    const before = performance.now()
    await write()
    expect(performance.now() - before).toBeGreaterThan(900)
  })

  it.each([0, 1, 3])('survive a connection that breaks before the answer to chunk %i', async (after) => {
    await bucket.rule('lose', 'upload', { method: 'PUT', after })
    await write()
    await expectStored()
  })

  it('survive a lost answer to the start', async () => {
    await bucket.rule('lose', 'upload', { method: 'POST' })
    await write()
    await bucket.endUploads() // the one that nobody knows the address of
    await expectStored()
  })

  it('give up on a service that fails for good, and the core does not begin anew', async () => {
    const stores = await createStores({ stores: { gcs: gcs(bucket.config({ uploadAttempts: 2 })) }, default: 'gcs' })
    await bucket.rule('fail', 'upload', { method: 'PUT', times: 2 })
    let opened = 0
    const source = (): AsyncIterable<Uint8Array> => {
      opened += 1
      return inPieces(BYTES)
    }
    const error = await failureOf(stores.add(key, source))
    expect(isMullionError(error, 'unavailable') && !error.retryable).toBe(true)
    expect(opened).toBe(1)
    await stores.close()
    await expectNothing()
  })

  it.each<[number, string, ErrorCode]>([
    [403, 'forbidden', 'permission_denied'],
    [413, 'uploadTooLarge', 'too_large'],
    [507, 'noSpace', 'storage_full'],
  ])('that are refused with %i %s say %s and leave nothing', async (code, reason, expected) => {
    await bucket.rule('fail', 'upload', { code, reason, method: 'PUT', after: 1 })
    await expectRefused(expected)
    await expectNothing()
    await bucket.rule('fail', 'upload', { code, reason, method: 'POST' })
    await expectRefused(expected)
    await expectNothing()
  })

  it.each([404, 410])('whose session is gone (%i) say so, and begin anew where the source can', async (code) => {
    await bucket.rule('fail', 'upload', { code, method: 'PUT', after: 1 })
    const error = await expectRefused('unavailable')
    expect(isMullionError(error) && error.retryable).toBe(true)
    await bucket.rule('fail', 'upload', { code, method: 'PUT', after: 1 })
    await using stores = await createStores({ stores: { gcs: gcs(bucket.config()) }, default: 'gcs' })
    await stores.add(key, () => inPieces(BYTES))
    await bucket.endUploads()
    await expectStored()
  })

  it('of bytes that change on their way are refused by the service, and leave nothing', async () => {
    await bucket.rule('flip', 'upload', { method: 'PUT', after: 1 })
    const error = await expectRefused('hash_mismatch')
    expect(isMullionError(error) && error.retryable).toBe(true)
    await expectNothing()
  })

  it('of bytes that change on their way are noticed when the service does not check, and taken back', async () => {
    await bucket.rule('flip', 'upload', { method: 'PUT', after: 1 })
    await bucket.rule('nohash', 'upload', { method: 'PUT', times: 10 })
    await expectRefused('hash_mismatch')
    await expectNothing()
  })

  it('of one key lose against what came first, and leave that untouched', async () => {
    async function* late(): AsyncGenerator<Uint8Array> {
      yield BYTES
      await bucket.put(key, new Uint8Array(7)) // the upload is open, its place was free
    }
    const error = await failureOf(writeTo(store, key, late()))
    expect(isMullionError(error, 'already_exists')).toBe(true)
    expect(await bucket.bytes(key)).toHaveLength(7)
    expect(await bucket.list()).not.toContain(`upload of ${key}`)
  })

  it('of one key at once: one wins', async () => {
    const other = randomBytes(BYTES.length)
    const results = await Promise.allSettled([write(), writeTo(store, key, inPieces(other))])
    const lost = results.filter((result) => result.status === 'rejected')
    expect(lost).toHaveLength(1)
    expect(isMullionError(lost[0]?.reason, 'already_exists')).toBe(true)
    const winner = results[0]?.status === 'fulfilled' ? BYTES : other
    expect((await bucket.bytes(key)).equals(winner)).toBe(true)
    expect(await bucket.list()).not.toContain(`upload of ${key}`)
  })

  it('are cancelled when the caller gives up while the service does not answer', async () => {
    await bucket.rule('hang', 'upload', { method: 'PUT', after: 1 })
    const caller = new AbortController()
    const reason = new Error('enough')
    async function* source(): AsyncGenerator<Uint8Array> {
      yield BYTES.subarray(0, 2 * CHUNK + 1)
      caller.abort(reason)
      throw reason
    }
    expect(await failureOf(writeTo(store, key, source(), { signal: caller.signal }))).toBe(reason)
    expect((await bucket.log()).at(-1)).toMatchObject({ method: 'DELETE' })
    await expectNothing()
  })

  it('take the object back when the caller gives up after the last byte', async () => {
    const caller = new AbortController()
    const reason = new Error('enough')
    await bucket.rule('lose', 'upload', { method: 'PUT', after: 3 })
    await bucket.rule('hang', 'upload', { method: 'PUT', after: 4 }) // the question what was kept
    const writing = failureOf(write({ signal: caller.signal }))
    while (!(await bucket.log()).at(-1)?.contentRange?.startsWith('bytes */')) await new Promise(setImmediate)
    expect(await bucket.list()).toContain(key)
    caller.abort(reason)
    expect(await writing).toBe(reason)
    await expectNothing()
  })

  it('tell the operator when nobody can say whether they ended', async () => {
    await bucket.rule('lose', 'upload', { method: 'PUT', after: 3 })
    await bucket.rule('fail', 'upload', { method: 'PUT', after: 4, times: 4 })
    await expectRefused('unavailable')
    expect(said).toEqual(['a failed write may have left an object'])
    expect(await bucket.list()).toContain(key)
  })

  it('time out when the service takes the bytes and does not answer, ask, and go on', async () => {
    await store.close()
    store = await openStore(bucket.config({ responseTimeoutMs: 200 }))
    await bucket.rule('hang', 'upload', { method: 'PUT', after: 1 })
    await write()
    await expectStored()
  })

  it('into a bucket that does not exist fail without calling anything missing', async () => {
    await store.close()
    store = await openStore(bucket.config({ bucket: 'mullion-no-such-bucket' }))
    const error = await expectRefused('unavailable')
    expect(isMullionError(error) && !error.retryable).toBe(true)
    expect(String(error)).toContain('bucket does not exist')
  })

  it('show their session to nobody: neither errors nor what is logged hold its address', async () => {
    const shown: unknown[] = []
    for (const [kind, query] of [
      ['fail', { code: 403, method: 'PUT' }],
      ['fail', { code: 410, method: 'PUT' }],
      ['fail', { code: 400, method: 'PUT' }],
      ['fail', { code: 503, method: 'PUT', times: 4 }],
      ['lose', { method: 'PUT', times: 5 }],
      ['flip', { method: 'PUT' }],
    ] as const) {
      key = randomUUID()
      await bucket.rule(kind, 'upload', query)
      shown.push(await failureOf(write()))
    }
    await bucket.endUploads()
    expect(shown.every((error) => isMullionError(error))).toBe(true)
    expect(inspect([shown, said, store], { depth: 20, showHidden: true })).not.toMatch(/upload_id|uploadType/)
  })

  it('of empty objects are as good as any', async () => {
    await writeTo(store, key, inPieces(new Uint8Array(0)), { size: 0 })
    const { size, bytes } = await readFrom(store, { bucket: bucket.name, object: key })
    expect([size, bytes.length]).toEqual([0, 0])
  })
})
