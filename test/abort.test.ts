import { getEventListeners } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { abortScope, orAborted, settledOrAborted } from '../src/abort.ts'
import { failureOf } from './tiny-store.ts'

const reason = new Error('enough')

afterEach(() => vi.useRealTimers())

describe('abortScope', () => {
  it('follows each parent with its reason, and its own', () => {
    const [first, second] = [new AbortController(), new AbortController()]
    using scope = abortScope(first.signal, undefined, second.signal)
    expect(scope.signal.aborted).toBe(false)
    second.abort(reason)
    expect(scope.signal.reason).toBe(reason)
    first.abort(new Error('later'))
    expect(scope.signal.reason).toBe(reason)
    using own = abortScope()
    own.abort(reason)
    expect(own.signal.reason).toBe(reason)
  })

  it('is aborted from the start when a parent is', () => {
    using scope = abortScope(AbortSignal.abort(reason))
    expect(scope.signal.reason).toBe(reason)
  })

  it('lets go of its parents when it is disposed of', () => {
    const parent = new AbortController()
    const scope = abortScope(parent.signal)
    expect(getEventListeners(parent.signal, 'abort')).toHaveLength(1)
    scope[Symbol.dispose]()
    expect(getEventListeners(parent.signal, 'abort')).toEqual([])
    parent.abort(reason)
    expect(scope.signal.aborted).toBe(false)
  })
})

describe.each([
  ['orAborted', orAborted],
  ['settledOrAborted', settledOrAborted],
])('%s', (_name, wait) => {
  it('settles as the work does, and leaves no listener', async () => {
    const { signal } = new AbortController()
    const late = (): never => expect.unreachable()
    expect(await wait(Promise.resolve(5), signal, late)).toBe(5)
    expect(await failureOf(wait(Promise.reject(reason), signal, late))).toBe(reason)
    await new Promise(setImmediate)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })
})

describe('orAborted', () => {
  it('rejects with the reason at once, and hands on what comes later', async () => {
    for (const aborted of [true, false]) {
      const controller = new AbortController()
      const { promise, resolve } = Promise.withResolvers<number>()
      const seen: number[] = []
      if (aborted) controller.abort(reason)
      const waiting = failureOf(orAborted(promise, controller.signal, (result) => seen.push(result)))
      controller.abort(reason)
      expect(await waiting).toBe(reason)
      resolve(5)
      await new Promise(setImmediate)
      expect(seen).toEqual([5])
    }
  })

  it('leaves no rejection unhandled that comes later', async () => {
    const { promise, reject } = Promise.withResolvers<number>()
    expect(await failureOf(orAborted(promise, AbortSignal.abort(reason), () => {}))).toBe(reason)
    reject(new Error('too late'))
    await new Promise(setImmediate)
  })
})

describe('settledOrAborted', () => {
  it('waits for work that cleans up, however it ends', async () => {
    const { promise, resolve } = Promise.withResolvers<number>()
    const waiting = settledOrAborted(promise, AbortSignal.abort(reason), () => expect.unreachable())
    resolve(5)
    expect(await waiting).toBe(5)
  })

  it.each(['before', 'while'])(
    'gives work up that does not heed an abort %s it runs, after a grace period',
    async (when) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const controller = new AbortController()
      if (when === 'before') controller.abort(reason)
      const { promise, resolve } = Promise.withResolvers<number>()
      const seen: unknown[] = []
      const waiting = settledOrAborted(promise, controller.signal, (result) => seen.push(result)).catch(
        (error: unknown) => seen.push(error),
      )
      controller.abort(reason)
      await vi.advanceTimersByTimeAsync(9_999)
      expect(seen).toEqual([])
      await vi.advanceTimersByTimeAsync(1)
      await waiting
      expect(seen).toEqual([reason])
      resolve(5)
      await Promise.resolve()
      expect(seen).toEqual([reason, 5])
    },
  )
})
