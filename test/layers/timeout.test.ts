import { getEventListeners } from 'node:events'
import { type AnyStore, collect, isMullionError } from 'mullion'
import { timeout } from 'mullion/layers'
import { manualClock } from 'mullion/testkit'
import { describe, expect, it } from 'vitest'
import { behind, call, chunks, deferred, destroy, releasable, settle, storeOf, writeOptions } from './fixture.ts'

const never = (): Promise<never> => new Promise(() => {})

function setup(next: AnyStore): { store: AnyStore; clock: ReturnType<typeof manualClock> } {
  const clock = manualClock()
  return { store: behind(timeout({ ms: 1000, clock }), next), clock }
}

/** The error, once there is one. */
function failing(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('timeout', () => {
  it('rejects with timeout and aborts the call when no answer comes', async () => {
    let seen: AbortSignal | undefined
    const stat: AnyStore['stat'] = (_, { signal }) => ((seen = signal), never())
    const { store, clock } = setup(storeOf(() => chunks(), { stat }))
    const failed = failing(store.stat('x', call()))
    await clock.advance(999)
    expect(seen?.aborted).toBe(false)
    await clock.advance(1)
    const error = await failed
    expect(isMullionError(error, 'timeout') && error.details.limitMs).toBe(1000)
    expect(seen?.aborted).toBe(true)
  })

  it('leaves no timer and no listener behind when answers come', async () => {
    const next = storeOf(() => chunks(1, 1), {
      write: async (key, body) => (await collect(body), { at: key }),
      remove: async () => {},
    })
    const { store, clock } = setup(next)
    const { signal } = new AbortController()
    await store.stat('x', call(signal))
    await collect((await store.read('x', call(signal))).body)
    await store.write?.('key', chunks(1), writeOptions(signal))
    await store.remove?.('x', call(signal))
    destroy((await store.read('x', call(signal))).body)
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(clock.pending).toBe(0)
  })

  it('limits the wait for the first chunk, and not those after', async () => {
    const second = deferred()
    const { store, clock } = setup(
      storeOf(async function* () {
        yield Buffer.of(1)
        await second.promise
        yield Buffer.of(2)
      }),
    )
    const reading = collect((await store.read('x', call())).body)
    await clock.advance(60_000)
    second.resolve()
    expect([...(await reading)]).toEqual([1, 2])

    const silent = setup(storeOf(() => ({ [Symbol.asyncIterator]: () => ({ next: never }) })))
    const { body } = await silent.store.read('x', call())
    await silent.clock.advance(60_000) // nobody asked for a chunk yet
    const failed = failing(collect(body))
    await silent.clock.advance(1000)
    expect(isMullionError(await failed, 'timeout')).toBe(true)
  })

  it('releases a body that comes too late', async () => {
    const opening = deferred()
    const body = releasable()
    const { store, clock } = setup({
      ...storeOf(() => body),
      read: () => opening.promise.then(() => ({ body, size: 1 })),
    })
    const failed = failing(store.read('x', call()))
    await clock.advance(1000)
    expect(isMullionError(await failed, 'timeout')).toBe(true)
    opening.resolve()
    await settle()
    expect(body.released).toBe(true)
  })

  it('does not limit the transfer of a write, but the answer after it', async () => {
    const [first, slow] = [deferred(), deferred()]
    async function* source(): AsyncGenerator<Uint8Array> {
      await first.promise
      yield Buffer.of(1)
      await slow.promise
    }
    const committing: AnyStore['write'] = async (_, body, { signal }) => {
      await collect(body)
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('cleaned up')))
      })
    }
    const { store, clock } = setup(storeOf(() => chunks(), { write: committing }))
    const failed = failing(store.write?.('key', source(), writeOptions()) ?? never())
    await clock.advance(60_000)
    first.resolve()
    await clock.advance(60_000)
    slow.resolve()
    await clock.advance(999)
    expect(clock.pending).toBe(1)
    await clock.advance(1)
    expect(isMullionError(await failed, 'timeout')).toBe(true)
  })

  it('rejects with the reason of the caller who aborts first', async () => {
    const reason = new Error('changed my mind')
    const controller = new AbortController()
    const { store, clock } = setup(storeOf(() => chunks(), { stat: never }))
    const failed = failing(store.stat('x', call(controller.signal)))
    controller.abort(reason)
    expect(await failed).toBe(reason)
    expect(clock.pending).toBe(0)
  })

  it('hands the abort of the caller on while the body is read', async () => {
    let seen: AbortSignal | undefined
    const controller = new AbortController()
    const { store } = setup({
      ...storeOf(() => chunks()),
      read: async (_, { signal }) => ((seen = signal), { body: chunks(1, 1), size: 2 }),
    })
    const { body } = await store.read('x', call(controller.signal))
    await body[Symbol.asyncIterator]().next()
    controller.abort(new Error('enough'))
    expect(seen?.aborted).toBe(true)
  })

  it('keeps functions absent, and refuses a limit that is none', () => {
    const { store } = setup(storeOf(() => chunks()))
    expect(Object.keys(store).toSorted()).toEqual(['read', 'stat'])
    expect(() => timeout({ ms: 0 })).toThrow('timeout: ms must be positive, got 0')
    expect(() => timeout({ ms: Number.NaN })).toThrow('got NaN')
  })
})
