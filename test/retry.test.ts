import { MullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { backoffMs, DEFAULT_RETRY, retrying } from '../src/retry.ts'
import { failureOf } from './tiny-store.ts'

const busy = (): MullionError => new MullionError('unavailable', 'busy', { details: {} })
const { signal } = new AbortController()

describe('backoffMs', () => {
  it('grows the window with every attempt, up to the longest pause', () => {
    const policy = { ...DEFAULT_RETRY, baseMs: 100, maxMs: 1000, random: () => 0.5 }
    expect([1, 2, 3, 4, 5, 60].map((attempt) => backoffMs(policy, attempt, busy()))).toEqual([
      50, 100, 200, 400, 500, 500,
    ])
  })

  it('does what the store asks instead', () => {
    const asked = new MullionError('rate_limited', 'slow down', { details: { afterMs: 20_000 } })
    expect(backoffMs(DEFAULT_RETRY, 1, asked)).toBe(20_000)
    const never = new MullionError('rate_limited', 'slow down', { details: { afterMs: 1e12 } })
    expect(backoffMs(DEFAULT_RETRY, 1, never)).toBe(60_000)
  })
})

describe('retrying', () => {
  it('tries again until it succeeds, and says which attempt it is', async () => {
    const pauses: number[] = []
    const policy = { ...DEFAULT_RETRY, random: () => 0.5, pause: async (ms: number) => void pauses.push(ms) }
    const result = await retrying(
      policy,
      signal,
      () => true,
      async (attempt) => {
        if (attempt < 3) throw busy()
        return attempt
      },
    )
    expect(result).toBe(3)
    expect(pauses).toEqual([50, 100])
  })

  it.each<readonly [string, unknown, number, boolean]>([
    ['an error that is not worth it', new MullionError('not_found', 'x', { details: { location: 'x' } }), 3, true],
    ['an error of somebody else', new Error('x'), 3, true],
    ['spent attempts', busy(), 1, true],
    ['a veto', busy(), 3, false],
  ])('stops at %s', async (_why, error, attempts, mayRetry) => {
    let tries = 0
    const run = retrying(
      { ...DEFAULT_RETRY, attempts },
      signal,
      () => mayRetry,
      async () => {
        tries += 1
        throw error
      },
    )
    expect(await failureOf(run)).toBe(error)
    expect(tries).toBe(1)
  })

  it('stops pausing when the signal aborts, with its reason', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const run = retrying(
      { ...DEFAULT_RETRY, baseMs: 1e6, maxMs: 1e6, random: () => 1 },
      controller.signal,
      () => true,
      async () => {
        setImmediate(() => controller.abort(reason))
        throw busy()
      },
    )
    expect(await failureOf(run)).toBe(reason)
  })
})
