import { Readable } from 'node:stream'
import fc from 'fast-check'
import { collect, createStores, memory, MullionError, type Progress, revealUri } from 'mullion'
import { seededBytes } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { atOnce, failureOf, tiny } from './tiny-store.ts'

const content = seededBytes(6, 1000)
const busy = (): MullionError => new MullionError('unavailable', 'tiny store: busy', { details: {} })

describe('get', () => {
  it('hands out the bytes, the size and the name of the store', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const { location } = await stores.add('x', content)
    const seen: Progress[] = []
    const { body, size, etag, store } = await stores.get(revealUri(location), {
      onProgress: (progress) => seen.push(progress),
    })
    expect({ size, etag, store }).toEqual({ size: 1000, etag: undefined, store: 'a' })
    expect(Buffer.compare(await collect(body), content)).toBe(0)
    expect(seen.at(-1)).toEqual({ bytes: 1000, total: 1000 })
  })

  it('hands out any range, cut where the object ends', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    const { location } = await stores.add('x', content)
    const range = { offset: fc.integer({ min: 0, max: 1100 }), length: fc.integer({ min: 0, max: 1100 }) }
    await fc.assert(
      fc.asyncProperty(fc.record(range, { requiredKeys: [] }), async (options) => {
        const { offset = 0, length = 1e9 } = options
        const { body, size } = await stores.get(location, options)
        expect(size).toBe(1000)
        expect(Buffer.compare(await collect(body), content.subarray(offset, offset + length))).toBe(0)
      }),
      { examples: [[{ offset: 1000 }], [{ offset: 1001, length: 1 }], [{ length: 0 }], [{ offset: 999, length: 1 }]] },
    )
  })

  it('refuses ranges of a store that has none, and numbers that are no bytes', async () => {
    const { spec, objects, calls } = tiny()
    objects.set('x', content)
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    for (const options of [{ offset: 1 }, { length: 5 }, { length: 0 }]) {
      await expect(stores.get('tiny://x', options)).rejects.toMatchObject({
        code: 'unsupported',
        details: { operation: 'range' },
      })
    }
    for (const offset of [-1, 0.5, Number.NaN]) {
      await expect(stores.get('tiny://x', { offset })).rejects.toMatchObject({ code: 'invalid_argument' })
    }
    expect(calls).toEqual([])
    const { body } = await stores.get('tiny://x', { offset: 0 })
    expect(await collect(body)).toHaveLength(1000)
  })

  it('does not ask the store for an empty range, but whether the object is there', async () => {
    const { spec, objects, calls } = tiny({ capabilities: { range: true } })
    objects.set('x', content)
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const { body, size } = await stores.get('tiny://x', { offset: 5, length: 0 })
    expect([await collect(body), size]).toEqual([Buffer.alloc(0), 1000])
    expect(calls).toEqual(['stat'])
    await expect(stores.get('tiny://y', { length: 0 })).rejects.toMatchObject({ code: 'not_found' })
  })

  it('rejects before the first byte when nothing is there', async () => {
    await using stores = await createStores({ stores: { a: memory() }, default: 'a' })
    await expect(stores.get('memory://x')).rejects.toMatchObject({
      code: 'not_found',
      context: { operation: 'get', store: 'a', location: 'memory://x' },
    })
  })

  it('tries to open again what fails for now, and says when that is no use any more', async () => {
    let calls = 0
    const failing = (times: number) =>
      tiny({
        with: {
          async read() {
            calls += 1
            if (calls <= times) throw busy()
            return { body: Readable.from([content]), size: 1000 }
          },
        },
      }).spec
    await using good = await createStores({ stores: { a: failing(2) }, default: 'a', retry: atOnce })
    expect(await collect((await good.get('tiny://x')).body)).toHaveLength(1000)
    calls = 0
    await using bad = await createStores({ stores: { a: failing(9) }, default: 'a', retry: { ...atOnce, attempts: 4 } })
    const error = await failureOf(bad.get('tiny://x'))
    expect(error).toMatchObject({ code: 'unavailable', retryable: false, context: { attempt: 4 } })
    expect(calls).toBe(4)
  })

  it('rejects with the reason itself when aborted before or while it opens, and releases what comes later', async () => {
    const reason = new Error('changed my mind')
    const controller = new AbortController()
    const { promise, resolve } = Promise.withResolvers<{ body: Readable; size: number }>()
    const { spec, calls } = tiny({ with: { read: () => promise } })
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    expect(await failureOf(stores.get('tiny://x', { signal: AbortSignal.abort(reason) }))).toBe(reason)
    expect(calls).toEqual([])
    const getting = failureOf(stores.get('tiny://x', { signal: controller.signal }))
    await new Promise(setImmediate)
    controller.abort(reason)
    expect(await getting).toBe(reason)
    const body = Readable.from([content])
    resolve({ body, size: 1000 })
    await new Promise(setImmediate)
    expect(body.destroyed).toBe(true)
  })

  it('releases a body that arrives in the very moment of the abort', async () => {
    const controller = new AbortController()
    const body = Readable.from([content])
    const { spec } = tiny({
      with: {
        read() {
          const opened = Promise.resolve({ body, size: 1000 })
          void opened.then(() =>
            Promise.resolve().then(() => Promise.resolve().then(() => controller.abort(new Error('now')))),
          )
          return opened
        },
      },
    })
    const stores = await createStores({ stores: { a: spec }, default: 'a' })
    await stores.get('tiny://x', { signal: controller.signal }).catch(() => {})
    await stores.close()
    expect(body.destroyed).toBe(true)
  })
})

describe('a body nobody reads to its end', () => {
  const opened = () => {
    const bodies: Readable[] = []
    const { spec } = tiny({
      capabilities: { concurrency: 1 },
      with: {
        async read() {
          const body = Readable.from([content.subarray(0, 500), content.subarray(500)])
          bodies.push(body)
          return { body, size: 1000 }
        },
      },
    })
    return { spec, bodies }
  }

  it('is released on disposal, and its place with it', async () => {
    const { spec, bodies } = opened()
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    for (let times = 0; times < 3; times += 1) {
      await using _result = await stores.get('tiny://x')
    }
    expect(bodies.map(({ destroyed }) => destroyed)).toEqual([true, true, true])
  })

  it('is released by leaving the loop, and by an abort', async () => {
    const { spec, bodies } = opened()
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    for await (const _chunk of (await stores.get('tiny://x')).body) break
    const controller = new AbortController()
    const { body } = await stores.get('tiny://x', { signal: controller.signal })
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await failureOf(body.next())).toBe(reason)
    expect(bodies.map(({ destroyed }) => destroyed)).toEqual([true, true])
    await using _next = await stores.get('tiny://x')
  })

  it('is released by close, and ends with closed', async () => {
    const { spec, bodies } = opened()
    const stores = await createStores({ stores: { a: spec }, default: 'a' })
    const { body } = await stores.get('tiny://x')
    await body.next()
    await stores.close()
    expect(bodies[0]?.destroyed).toBe(true)
    await expect(body.next()).rejects.toMatchObject({ code: 'closed' })
  })

  it('is over after its end and after return, however often it is asked', async () => {
    const { spec } = opened()
    await using stores = await createStores({ stores: { a: spec }, default: 'a' })
    const { body } = await stores.get('tiny://x')
    await collect(body)
    expect(await body.next()).toEqual({ done: true, value: undefined })
    expect(await body.return?.()).toEqual({ done: true, value: undefined })
  })

  it('ends for a reader that waits while it is disposed of', async () => {
    const { spec } = tiny({ with: { read: async () => ({ body: stuck(), size: 1000 }) } })
    const stores = await createStores({ stores: { a: spec }, default: 'a' })
    const result = await stores.get('tiny://x')
    await result.body.next()
    const waiting = result.body.next()
    await result[Symbol.asyncDispose]()
    expect(await waiting).toEqual({ done: true, value: undefined })
    await stores.close()
  })
})

async function* stuck(): AsyncGenerator<Uint8Array> {
  yield content.subarray(0, 1)
  await new Promise(() => {})
}
