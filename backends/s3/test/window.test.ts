import { describe, expect, it } from 'vitest'
import { windowOf } from '../src/window.ts'

const never = new AbortController().signal

/** A task that ends when told to. */
function task() {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let signal: AbortSignal | undefined
  return {
    end: resolve,
    fail: reject,
    get signal() {
      return signal
    },
    run: (given: AbortSignal): Promise<void> => {
      signal = given
      return promise
    },
  }
}

async function turns(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
}

describe('the window', () => {
  it('lets in what fits, and the next when there is room', async () => {
    const window = windowOf(10, never)
    const [one, two, three] = [task(), task(), task()]
    await window.enter(5, one.run)
    await window.enter(5, two.run)
    const waiting = window.enter(5, three.run)
    await turns()
    expect(three.signal).toBeUndefined()
    two.end()
    await waiting
    expect(three.signal).toBeDefined()
    one.end()
    three.end()
    await window.emptied()
  })

  it('runs what is heavier than itself alone', async () => {
    const window = windowOf(10, never)
    const [one, heavy, last] = [task(), task(), task()]
    await window.enter(1, one.run)
    const waiting = window.enter(100, heavy.run)
    await turns()
    expect(heavy.signal).toBeUndefined()
    one.end()
    await waiting
    const after = window.enter(1, last.run)
    await turns()
    expect(last.signal).toBeUndefined()
    heavy.end()
    await after
    last.end()
    await window.emptied()
  })

  it('tells all when one fails, and everybody who waits', async () => {
    const window = windowOf(2, never)
    const [one, two] = [task(), task()]
    await window.enter(1, one.run)
    await window.enter(1, two.run)
    const error = new Error('broken')
    const waits = [window.enter(1, task().run), window.orFailed(new Promise(() => {})), window.emptied()]
    one.fail(error)
    for (const wait of waits) await expect(wait).rejects.toBe(error)
    expect(two.signal?.reason).toBe(error)
    two.end()
    await window.stop(undefined)
    await expect(window.enter(1, task().run)).rejects.toBe(error)
  })

  it('stops with the signal around it, and not before its tasks have ended', async () => {
    const outer = new AbortController()
    const window = windowOf(2, outer.signal)
    const one = task()
    await window.enter(1, one.run)
    const reason = new Error('enough')
    outer.abort(reason)
    expect(one.signal?.reason).toBe(reason)
    await expect(window.emptied()).rejects.toBe(reason)
    let isStopped = false
    const stopped = window.stop(reason).then(() => {
      isStopped = true
    })
    await turns()
    expect(isStopped).toBe(false)
    one.end()
    await stopped
  })

  it('runs nothing when the signal was aborted before', async () => {
    const reason = new Error('enough')
    const window = windowOf(2, AbortSignal.abort(reason))
    const one = task()
    await expect(window.enter(1, one.run)).rejects.toBe(reason)
    expect(one.signal).toBeUndefined()
  })
})
