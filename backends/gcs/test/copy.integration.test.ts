import { randomBytes, randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type CopyFromOptions, isMullionError } from 'mullion'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { describeWithService } from '../../../test/services/require.ts'
import { serve } from './server.ts'
import type { GcsLocation, GcsStore } from '../src/index.ts'
import { bucketOn, never, openStore } from './service.ts'

type Relay = (request: IncomingMessage, response: ServerResponse) => Promise<void>

const JSON_TYPE = { 'content-type': 'application/json' }
const BYTES = randomBytes(3 * 1024 * 1024 + 5)

const ENV = ['GCS_ENDPOINT', 'GCS_AUTH_ENDPOINT', 'GCS_CREDENTIALS_FILE'] as const

describeWithService(ENV, 'gcs.sh', 'gcs copies', (service) => {
  const { GCS_ENDPOINT, GCS_AUTH_ENDPOINT, GCS_CREDENTIALS_FILE: keyFile } = service
  const bucket = bucketOn(GCS_ENDPOINT)
  const other = bucketOn(GCS_ENDPOINT)
  let source: GcsStore
  let store: GcsStore
  let at: GcsLocation
  let key: string
  const said: string[] = []
  beforeEach(async () => {
    await bucket.clear()
    said.length = 0
    source = await openStore(bucket.config())
    store = await openStore(other.config({ prefix: 'copies/' }), (message) => said.push(message))
    at = { bucket: bucket.name, object: randomUUID() }
    key = randomUUID()
    await bucket.put(at.object, BYTES)
  })
  afterEach(async () => {
    await source.close()
    await store.close()
  })

  const copy = async (options: Partial<CopyFromOptions<GcsLocation>> = {}) => {
    const { size, etag } = await source.stat(at, { signal: never })
    const usual = { size, etag, metadata: {}, signal: never, announce: async () => {}, alive() {} }
    return store.copyFrom(key, { store: source, at }, { ...usual, ...options })
  }
  const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => undefined,
      (error: unknown) => error,
    )
  const expectCopied = async (): Promise<void> => {
    expect((await other.bytes(`copies/${key}`)).equals(BYTES)).toBe(true)
  }
  const expectNothing = async (): Promise<void> => {
    expect(await other.list()).not.toContain(`copies/${key}`)
    expect(said).toEqual([])
  }

  it('go from bucket to bucket, with the metadata that was given', async () => {
    const announced: GcsLocation[] = []
    const made = await copy({ metadata: { os: 'debian' }, announce: async (place) => void announced.push(place) })
    expect(made).toMatchObject({ size: BYTES.length, at: { bucket: other.name, object: `copies/${key}` } })
    expect(announced).toEqual([{ bucket: other.name, object: `copies/${key}` }])
    expect(await other.metadata(`copies/${key}`)).toMatchObject({ metadata: { os: 'debian' } })
    await expectCopied()
  })

  it('take as many calls as the service wants', async () => {
    await bucket.rule('rewrite', 'object', { bytes: 1024 * 1024, times: 10 })
    await copy()
    await expectCopied()
    const calls = (await bucket.log()).filter(({ url }) => url.includes('rewriteTo') && url.includes(key))
    expect(calls).toHaveLength(4)
    expect(calls.slice(1).every(({ url }) => url.includes('rewriteToken='))).toBe(true)
  })

  it('survive failures between the calls without beginning anew', async () => {
    await bucket.rule('rewrite', 'object', { bytes: 1024 * 1024, times: 10 })
    await bucket.rule('fail', 'object', { method: 'POST', after: 1, times: 2 })
    await copy()
    await expectCopied()
    const calls = (await bucket.log()).filter(({ url }) => url.includes('rewriteTo') && url.includes(key))
    expect(calls.filter(({ url }) => !url.includes('rewriteToken='))).toHaveLength(1)
  })

  it('know their own copy when the answer got lost', async () => {
    await bucket.rule('lose', 'object', { method: 'POST' })
    expect(await copy()).toMatchObject({ size: BYTES.length })
    await expectCopied()
  })

  it('refuse a key that is taken, and leave what is there', async () => {
    await other.put(`copies/${key}`, new Uint8Array(3))
    expect(isMullionError(await failureOf(copy()), 'already_exists')).toBe(true)
    expect(await other.bytes(`copies/${key}`)).toHaveLength(3)
  })

  it('lose against what came first, and leave that', async () => {
    const announce = (): Promise<void> => other.put(`copies/${key}`, new Uint8Array(3))
    expect(isMullionError(await failureOf(copy({ announce })), 'already_exists')).toBe(true)
    expect(await other.bytes(`copies/${key}`)).toHaveLength(3)
  })

  it('are of the version that was asked for, or of none', async () => {
    const { etag } = await source.stat(at, { signal: never })
    await bucket.put(at.object, new Uint8Array(9))
    expect(isMullionError(await failureOf(copy({ etag })), 'conflict')).toBe(true)
    const replace = (): Promise<void> => bucket.put(at.object, BYTES)
    const error = await failureOf(copy({ announce: replace }))
    expect(isMullionError(error) ? error.code : error).toMatch(/^(conflict|not_found)$/)
    await expectNothing()
  })

  it('are taken back when the caller gives up after the service was done', async () => {
    const caller = new AbortController()
    const reason = new Error('enough')
    await bucket.rule('lose', 'object', { method: 'POST', after: 0 })
    await bucket.rule('hang', 'object', { method: 'POST', after: 1 })
    const copying = failureOf(copy({ signal: caller.signal }))
    const calls = async (): Promise<number> =>
      (await bucket.log()).filter(({ url }) => url.includes('rewriteTo') && url.includes(key)).length
    while ((await calls()) < 2) await new Promise(setImmediate)
    expect(await other.list()).toContain(`copies/${key}`)
    caller.abort(reason)
    expect(await copying).toBe(reason)
    await expectNothing()
  })

  it('are taken back when the service makes them after the caller gave up', async () => {
    const caller = new AbortController()
    const reason = new Error('enough')
    const looked = Promise.withResolvers<void>()
    const made = Promise.withResolvers<void>()
    const relay: Relay = async (request, response) => {
      const chunks = (await request.toArray()) as Buffer[]
      const isRewrite = request.url?.includes('rewriteTo') === true
      if (isRewrite) {
        caller.abort(reason)
        await looked.promise
      }
      const { method = '' } = request
      const body = chunks.length > 0 ? { body: Buffer.concat(chunks), headers: JSON_TYPE } : {}
      const answer = await fetch(new URL(request.url ?? '', GCS_ENDPOINT), { method, ...body })
      const bytes = Buffer.from(await answer.arrayBuffer())
      if (isRewrite) return made.resolve()
      response.writeHead(answer.status, JSON_TYPE).end(bytes)
      if (caller.signal.aborted) looked.resolve()
    }
    await using late = await serve((request, response) => void relay(request, response))
    const endpoint = late.url.origin
    const from = await openStore(bucket.config({ endpoint }))
    const to = await openStore(other.config({ endpoint, prefix: 'copies/' }), (message) => said.push(message))
    const options = { size: undefined, etag: undefined, metadata: {}, announce: async () => {}, alive() {} }
    const copying = failureOf(to.copyFrom(key, { store: from, at }, { ...options, signal: caller.signal }))
    expect(await copying).toBe(reason)
    await made.promise
    await expectNothing()
    await from.close()
    await to.close()
  })

  it.each([
    ['nobody saw', undefined],
    ['nobody can be asked about', { code: 503, method: 'GET', times: 99 }],
  ])('whose end %s are told to the operator', async (_, rule) => {
    const caller = new AbortController()
    const reason = new Error('enough')
    await bucket.rule('hang', 'object', { method: 'POST' })
    const copying = failureOf(copy({ signal: caller.signal }))
    const isAsked = async (): Promise<boolean> =>
      (await bucket.log()).some(({ url }) => url.includes('rewriteTo') && url.includes(key))
    while (!(await isAsked())) await new Promise(setImmediate)
    if (rule) await other.rule('fail', 'object', rule)
    caller.abort(reason)
    expect(await copying).toBe(reason)
    await other.clear()
    expect(said).toEqual(['the outcome of a failed copy is unknown: its object may still appear'])
    expect(await other.list()).not.toContain(`copies/${key}`)
  })

  it('are not looked for when the caller gave up before they were asked for', async () => {
    const caller = new AbortController()
    const reason = new Error('enough')
    const announce = async (): Promise<void> => caller.abort(reason)
    expect(await failureOf(copy({ announce, signal: caller.signal }))).toBe(reason)
    await expectNothing()
  })

  it('are left to others when the store has no credentials and the source asks for some', async () => {
    const from = await openStore(bucket.config({ endpoint: GCS_AUTH_ENDPOINT, keyFile }))
    const to = await openStore(other.config({ endpoint: GCS_AUTH_ENDPOINT, anonymous: true }))
    const options = { size: undefined, etag: undefined, metadata: {}, signal: never, announce: async () => {} }
    expect(await to.copyFrom(key, { store: from, at }, { ...options, alive() {} })).toBeUndefined()
    await from.close()
    await to.close()
  })

  it('are not made of what is missing', async () => {
    await source.remove(at, { signal: never })
    const error = await failureOf(
      store.copyFrom(
        key,
        { store: source, at },
        {
          size: undefined,
          etag: undefined,
          metadata: {},
          signal: never,
          announce: async () => {},
          alive() {},
        },
      ),
    )
    expect(isMullionError(error, 'not_found')).toBe(true)
  })

  it('are left to others when the source may not be read, or is no store of this service', async () => {
    await bucket.rule('fail', 'object', { code: 403, reason: 'forbidden', after: 1 })
    expect(await copy()).toBeUndefined()
    const options = { size: 1, etag: undefined, metadata: {}, signal: never, announce: async () => {}, alive() {} }
    expect(await store.copyFrom(key, { store: {}, at }, options)).toBeUndefined()
    const elsewhere = await openStore(bucket.config({ endpoint: 'http://127.0.0.1:1' }))
    expect(await store.copyFrom(key, { store: elsewhere, at }, options)).toBeUndefined()
    await elsewhere.close()
    await expectNothing()
  })
})
