import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import { collect } from 'mullion'
import { failingSource, stallingSource } from 'mullion/testkit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { puller, release, watchdog } from '../src/bytes.ts'
import { failureOf } from './tiny-store.ts'

afterEach(() => vi.useRealTimers())

async function* two(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array([1])
  yield new Uint8Array([2, 3])
}

describe('collect', () => {
  it('joins the chunks, none included', async () => {
    expect([...(await collect(two()))]).toEqual([1, 2, 3])
    expect(await collect(Readable.from([]))).toHaveLength(0)
  })
})

describe('watchdog', () => {
  it('barks when a wait is too long, naming whom it is for, and not while nobody is waited for', () => {
    vi.useFakeTimers()
    const barks: string[] = []
    const { wait, rest, end } = watchdog(100, (whom, ms) => barks.push(`${whom} ${ms}`))
    wait('source')
    vi.advanceTimersByTime(99)
    wait('store')
    vi.advanceTimersByTime(99)
    expect(barks).toEqual([])
    vi.advanceTimersByTime(1)
    expect(barks).toEqual(['store 100'])
    wait('store')
    rest()
    vi.advanceTimersByTime(1000)
    wait('source', 500)
    vi.advanceTimersByTime(499)
    expect(barks).toHaveLength(1)
    vi.advanceTimersByTime(1)
    wait('source')
    vi.advanceTimersByTime(100)
    expect(barks).toEqual(['store 100', 'source 500', 'source 100'])
    wait('source')
    end()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('never barks at 0, whatever the wait', () => {
    vi.useFakeTimers()
    const { wait } = watchdog(0, () => expect.unreachable())
    wait('source', 5)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('puller', () => {
  it('pulls to the end, and then lets go of nothing that is over', async () => {
    const { signal } = new AbortController()
    const pull = puller(two(), signal)
    expect((await pull.next()).value).toEqual(new Uint8Array([1]))
    await pull.next()
    expect((await pull.next()).done).toBe(true)
    await pull.release()
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('rejects with the reason although the stream is stuck, and does not wait for it to let go', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    async function* stuck(): AsyncGenerator<Uint8Array> {
      await new Promise(() => {})
      yield new Uint8Array()
    }
    const pull = puller(stuck(), controller.signal)
    const pulling = failureOf(pull.next())
    controller.abort(reason)
    expect(await pulling).toBe(reason)
    expect(await failureOf(pull.next())).toBe(reason)
    await pull.release()
  })

  it('passes the error of the stream on', async () => {
    const error = new Error('broken')
    const pull = puller(failingSource(error, 0), new AbortController().signal)
    expect(await failureOf(pull.next())).toBe(error)
    await pull.release()
  })
})

describe('release', () => {
  it('destroys a Readable and cancels a ReadableStream that nobody read from', async () => {
    const readable = Readable.from(two())
    await release(readable)
    expect(readable.destroyed).toBe(true)
    let cancelled = false
    await release(new ReadableStream({ cancel: () => void (cancelled = true) }))
    expect(cancelled).toBe(true)
  })

  it('ends any other stream, and minds no error on the way', async () => {
    const source = stallingSource(1)
    await release(source)
    expect(source.released).toBe(true)
    await release({
      [Symbol.asyncIterator]: () => {
        throw new Error('no')
      },
    })
  })
})
