import { type AnyStore, collect } from 'mullion'
import { type RateLimitOptions, rateLimit } from 'mullion/layers'
import { type ManualClock, manualClock } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { behind, call, chunks, storeOf, writeOptions } from './fixture.ts'

function setup(
  options: RateLimitOptions,
  changes: Partial<AnyStore> = {},
): { store: AnyStore; clock: ManualClock; at: number[] } {
  const clock = manualClock(5000)
  const at: number[] = []
  const stat: AnyStore['stat'] = async () => (at.push(clock.now() - 5000), { size: 1 })
  return {
    store: behind(
      rateLimit({ ...options, clock }),
      storeOf(() => chunks(100, 100, 100), { stat, ...changes }),
    ),
    clock,
    at,
  }
}

describe('rateLimit', () => {
  it('lets calls start at the rate, after a burst', async () => {
    const { store, clock, at } = setup({ perSecond: 10, burst: 2 })
    const calls = Array.from({ length: 5 }, () => store.stat('x', call()))
    await clock.advance(1000)
    await Promise.all(calls)
    expect(at).toEqual([0, 0, 100, 200, 300])
  })

  it('allows a burst again after a quiet time, and no larger one', async () => {
    const { store, clock, at } = setup({ perSecond: 10, burst: 2 })
    await store.stat('x', call())
    await clock.advance(60_000)
    const calls = Array.from({ length: 3 }, () => store.stat('x', call()))
    await clock.advance(1000)
    await Promise.all(calls)
    expect(at).toEqual([0, 60_000, 60_000, 60_100])
  })

  it('gives the share of a call back that aborts while it waits', async () => {
    const { store, clock, at } = setup({ perSecond: 1 })
    const controller = new AbortController()
    const reason = new Error('waited long enough')
    await store.stat('x', call())
    const leaving = store.stat('x', call(controller.signal))
    controller.abort(reason)
    await expect(leaving).rejects.toBe(reason)
    const staying = store.stat('x', call())
    await clock.advance(1000)
    await staying
    expect(at).toEqual([0, 1000])
    expect(clock.pending).toBe(0)
  })

  it('passes bodies untouched when only calls are limited', async () => {
    const body = chunks(1)
    const { store } = setup({ perSecond: 10 }, { read: async () => ({ body, size: 1 }) })
    expect((await store.read('x', call())).body).toBe(body)
  })

  it('spreads the bytes of reads and writes over time', async () => {
    const { store, clock } = setup(
      { bytesPerSecond: 1000 },
      { write: async (key, body) => (await collect(body), { at: key }) },
    )
    let finished = 0
    const reading = store.read('x', call()).then(({ body }) => collect(body))
    const writing = store.write?.('key', chunks(100, 100, 100), writeOptions())
    const both = Promise.all([reading, writing]).then(() => (finished = clock.now() - 5000))
    await clock.advance(10_000)
    await both
    expect(finished).toBeGreaterThanOrEqual(500) // 600 bytes, the first 100 of which pass at once
    expect((await reading).byteLength).toBe(300)
  })

  it('ends a body that waits when the signal aborts', async () => {
    const { store } = setup({ bytesPerSecond: 1 })
    const controller = new AbortController()
    const { body } = await store.read('x', call(controller.signal))
    const reason = new Error('too slow')
    const reading = collect(body)
    controller.abort(reason)
    await expect(reading).rejects.toBe(reason)
  })

  it('keeps functions absent, and refuses rates that are none', () => {
    const { store } = setup({ perSecond: 1, bytesPerSecond: 1 })
    expect(store.write).toBeUndefined()
    expect(store.remove).toBeUndefined()
    for (const options of [{ perSecond: 0 }, { burst: -1 }, { bytesPerSecond: Number.NaN }]) {
      expect(() => rateLimit(options)).toThrow('must be positive')
    }
  })
})
