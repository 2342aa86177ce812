import {
  type ByteStream,
  collect,
  createStores,
  MullionError,
  type ReadOptions,
  type ReadResult,
  type RetryPolicy,
} from 'mullion'
import { seededBytes } from 'mullion/testkit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { atOnce, failureOf, gate, tiny } from './tiny-store.ts'

const content = seededBytes(7, 1000)
const busy = (): MullionError => new MullionError('unavailable', 'tiny store: reset', { details: {} })
afterEach(() => vi.useRealTimers())

type Opening = (options: ReadOptions, opening: number) => ReadResult

/** Opens a body of a store with ranges; `read` decides what each opening answers. */
async function opened(read: Opening, { retry = atOnce, range = true, ...more }: Partial<Setup> = {}) {
  const openings: ReadOptions[] = []
  const { spec } = tiny({
    capabilities: { range },
    with: { read: async (_at, options) => read(options, openings.push(options)) },
  })
  const stores = await createStores({
    stores: { a: spec },
    default: 'a',
    retry,
    idleTimeoutMs: more.idleTimeoutMs ?? 0,
  })
  const { idleTimeoutMs: _, ...options } = more
  return { stores, openings, result: await stores.get('tiny://x', options) }
}

interface Setup {
  readonly retry: Partial<RetryPolicy>
  readonly range: boolean
  readonly idleTimeoutMs: number
  readonly offset: number
  readonly length: number
  readonly onProgress: () => void
  readonly signal: AbortSignal
}

/** `count` bytes of what was asked for, one at a time, then the end or an error. */
async function* some(
  { offset, length = 1e9 }: ReadOptions,
  count: number,
  error?: unknown,
): AsyncGenerator<Uint8Array> {
  const part = content.subarray(offset, offset + Math.min(length, count))
  for (let at = 0; at < part.byteLength; at += 50) yield part.subarray(at, at + 50)
  if (error !== undefined) throw error
}

async function* stuck(): AsyncGenerator<Uint8Array> {
  yield content.subarray(0, 50)
  await new Promise(() => {})
}

describe('a body that breaks', () => {
  it.each([
    ['the same etag', { etag: 'v1' }],
    ['the same size where there is no etag', { size: 1000 }],
  ])('goes on at the byte where it broke when the object has %s', async (_what, facts) => {
    const read: Opening = (options, opening) => ({
      size: undefined,
      ...facts,
      body: some(options, opening < 3 ? 100 : 1000, opening < 3 ? busy() : undefined),
    })
    const { result, openings } = await opened(read, { offset: 10, length: 900 })
    expect(Buffer.compare(await collect(result.body), content.subarray(10, 910))).toBe(0)
    expect(openings.map(({ offset, length }) => [offset, length])).toEqual([
      [10, 900],
      [110, 800],
      [210, 700],
    ])
  })

  it('goes on as well when it ends too early', async () => {
    const { result, openings } = await opened((options) => ({ size: 1000, body: some(options, 400) }))
    expect(Buffer.compare(await collect(result.body), content)).toBe(0)
    expect(openings).toHaveLength(3)
  })

  it.each([
    ['etag', { etag: 'v1', size: 1000 }, { etag: 'v2', size: 1000 }],
    ['etag, which it lost', { etag: 'v1', size: 1000 }, { size: 1000 }],
    ['size', { size: 1000 }, { size: 1001 }],
  ])('rejects conflict when the object has another %s by now, and releases both', async (_what, first, second) => {
    const released: number[] = []
    const read: Opening = (options, opening) => ({
      ...(opening === 1 ? first : second),
      body: noting(some(options, 100, busy()), () => released.push(opening)),
    })
    const { result, stores } = await opened(read)
    const error = await failureOf(collect(result.body))
    expect(error).toMatchObject({
      code: 'conflict',
      retryable: false,
      message: 'a: get tiny://x: the object changed while it was read',
    })
    expect(released).toEqual([1, 2])
    await stores.close()
  })

  it('does not go on when nothing tells whether the object is the same', async () => {
    const { result, openings } = await opened((options) => ({ size: undefined, body: some(options, 100, busy()) }))
    await expect(collect(result.body)).rejects.toMatchObject({ code: 'unavailable' })
    expect(openings).toHaveLength(1)
  })

  it('rejects when the store has no ranges, and leaves it to the caller to try again', async () => {
    const { result, openings } = await opened((options) => ({ size: 1000, body: some(options, 100, busy()) }), {
      range: false,
    })
    await expect(collect(result.body)).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    expect(openings).toHaveLength(1)
  })

  it('gives up after as many attempts without a byte, and says that trying again is no use', async () => {
    const read: Opening = (options, opening) => ({ size: 1000, body: some(options, opening === 1 ? 100 : 0, busy()) })
    const { result, openings } = await opened(read, { retry: { ...atOnce, attempts: 4 } })
    await expect(collect(result.body)).rejects.toMatchObject({ code: 'unavailable', retryable: false })
    expect(openings).toHaveLength(4)
  })

  it('counts the attempts anew after every byte', async () => {
    const read: Opening = (options) => ({
      size: 1000,
      body: some(options, 50, options.offset < 950 ? busy() : undefined),
    })
    const { result, openings } = await opened(read)
    expect(Buffer.compare(await collect(result.body), content)).toBe(0)
    expect(openings).toHaveLength(20)
  })

  it('does not try again what is not worth it, nor an error nobody knows', async () => {
    const gone = new MullionError('not_found', 'gone', { details: { location: 'x' } })
    for (const [code, error] of [
      ['not_found', gone],
      ['internal', new Error('bug')],
    ]) {
      const { result, openings } = await opened((options) => ({ size: 1000, body: some(options, 100, error) }))
      await expect(collect(result.body)).rejects.toMatchObject({ code, retryable: false })
      expect(openings).toHaveLength(1)
    }
  })

  it('pauses as the policy says before it goes on', async () => {
    const pauses: number[] = []
    const retry = { random: () => 0.5, pause: async (ms: number) => void pauses.push(ms) }
    const read: Opening = (options, opening) => ({
      size: 1000,
      body: opening === 3 ? some(options, 1000) : some(options, 0, busy()),
    })
    await collect((await opened(read, { retry })).result.body)
    expect(pauses).toEqual([50, 100])
  })

  it.each([999, 0])('rejects size_mismatch for a body of %d bytes instead of 1000', async (count) => {
    const { result } = await opened((options) => ({ size: 1000, body: some(options, count) }), { range: false })
    await expect(collect(result.body)).rejects.toMatchObject({
      code: 'size_mismatch',
      details: { expected: 1000, actual: count },
    })
  })

  it('rejects size_mismatch as soon as a body is too long', async () => {
    const { result, openings } = await opened(
      () => ({ size: 1000, body: some({ offset: 0, length: undefined } as never, 60) }),
      { length: 50 },
    )
    await expect(collect(result.body)).rejects.toMatchObject({ code: 'size_mismatch', retryable: false })
    expect(openings).toHaveLength(1)
  })

  it('takes what comes when nobody knows the size', async () => {
    const { result } = await opened((options) => ({ size: undefined, body: some(options, 700) }))
    expect(await collect(result.body)).toHaveLength(700)
  })
})

describe('a body that does not move', () => {
  it('times out, and goes on elsewhere when it can', async () => {
    const read: Opening = (options, opening) => ({ size: 1000, body: opening === 1 ? stuck() : some(options, 1000) })
    const { result, stores } = await opened(read, { idleTimeoutMs: 20 })
    expect(Buffer.compare(await collect(result.body), content)).toBe(0)
    await stores.close()
  })

  it('times out for the reader when it cannot', async () => {
    const { result } = await opened(() => ({ size: 1000, body: stuck() }), { idleTimeoutMs: 20, range: false })
    const message = 'a: get tiny://x: the store moved no data for 20 ms'
    await expect(collect(result.body)).rejects.toMatchObject({ code: 'timeout', message, details: { limitMs: 20 } })
  })

  it('does not time out while the reader takes its time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { result } = await opened((options) => ({ size: 1000, body: some(options, 1000) }), { idleTimeoutMs: 20 })
    await result.body.next()
    await vi.advanceTimersByTimeAsync(1000)
    expect(await collect(result.body)).toHaveLength(950)
  })

  it('lets go when it is aborted between two tries, so that close does not wait for it', async () => {
    const pausing = gate()
    const retry = {
      pause: (_ms: number, signal: AbortSignal) =>
        new Promise<void>((_, reject) => {
          pausing.open()
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        }),
    }
    const { result, stores } = await opened(() => ({ size: 1000, body: stuck() }), { idleTimeoutMs: 20, retry })
    const reading = failureOf(collect(result.body))
    await pausing.opened
    await stores.close()
    expect(await reading).toMatchObject({ code: 'closed' })
  })

  it('releases what it opens again after it was disposed of', async () => {
    const pausing = gate()
    const goOn = gate()
    const released: number[] = []
    const retry = {
      async pause() {
        pausing.open()
        await goOn.opened
      },
    }
    const read: Opening = (options, opening) => ({
      size: 1000,
      body: noting(some(options, 50, busy()), () => released.push(opening)),
    })
    const { result, stores, openings } = await opened(read, { retry })
    const reading = collect(result.body)
    await pausing.opened
    await result[Symbol.asyncDispose]()
    goOn.open()
    expect(await reading).toHaveLength(50)
    expect([openings.length, released]).toEqual([2, [1, 2]])
    await stores.close()
  })
})

describe('progress of a read', () => {
  it('ends the body when it throws, whatever it throws, and skips no byte', async () => {
    const onProgress = (): never => {
      throw busy()
    }
    const { result, openings } = await opened((options) => ({ size: 1000, body: some(options, 1000) }), { onProgress })
    await expect(collect(result.body)).rejects.toMatchObject({ code: 'unavailable', message: 'tiny store: reset' })
    expect(openings).toHaveLength(1)
  })
})

/** A stream that says when it is let go of, as a native one. */
function noting(stream: ByteStream, onDestroy: () => void): ByteStream {
  let over = false
  const destroy = (): void => {
    if (!over) onDestroy()
    over = true
  }
  return Object.assign({ [Symbol.asyncIterator]: () => stream[Symbol.asyncIterator]() }, { destroy })
}
