import { isMullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { failure } from '../src/errors.ts'
import { backoffMs, failuresOf, pausing, retrying } from '../src/patience.ts'

const never = new AbortController().signal
const busy = (afterMs?: number) => failure('unavailable', 'busy', afterMs === undefined ? {} : { afterMs })

describe('patience', () => {
  it('waits twice as long each time, up to half a minute, and never the same for all', () => {
    for (const [failures, longest] of [
      [1, 250],
      [2, 500],
      [5, 4000],
      [20, 32_000],
    ] as const) {
      const pauses = Array.from({ length: 50 }, () => backoffMs(failures, busy()))
      expect(Math.max(...pauses)).toBeLessThanOrEqual(longest)
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(longest / 2)
      expect(new Set(pauses).size).toBeGreaterThan(1)
    }
  })

  it('waits as long as the service asks for, but not for ever', () => {
    expect(backoffMs(1, busy(7000))).toBe(7000)
    expect(backoffMs(1, busy(86_400_000))).toBe(32_000)
  })

  it('gives up after so many failures in a row, with an error nobody need try again', async () => {
    const pauses: number[] = []
    const patience = { attempts: 3, pause: async (ms: number) => void pauses.push(ms) }
    const error = await retrying(patience, { signal: never }, () => Promise.reject(busy())).catch(
      (thrown: unknown) => thrown,
    )
    expect(isMullionError(error, 'unavailable') && !error.retryable).toBe(true)
    expect(pauses).toHaveLength(2)
  })

  it('tells the caller of every failed try, before and after the pause', async () => {
    const events: string[] = []
    const patience = { attempts: 2, pause: async () => void events.push('pause') }
    const alive = (): void => void events.push('alive')
    await failuresOf(patience, { signal: never, alive }).count(busy())
    expect(events).toEqual(['alive', 'pause', 'alive'])
  })

  it('counts anew after progress', async () => {
    const failures = failuresOf({ attempts: 2, pause: async () => {} }, { signal: never })
    await failures.count(busy())
    failures.reset()
    await failures.count(busy())
    await expect(failures.count(busy())).rejects.toThrow('busy')
  })

  it('does not try again what cannot get better', async () => {
    const refused = failure('permission_denied', 'no', {})
    const patience = { attempts: 3, pause: () => Promise.reject(new Error('paused')) }
    await expect(retrying(patience, { signal: never }, () => Promise.reject(refused))).rejects.toBe(refused)
  })

  it('ends a pause with the reason of the caller, or when the store closes', async () => {
    const caller = new AbortController()
    const closing = new AbortController()
    const pause = pausing(closing.signal)
    const waits = [pause(60_000, caller.signal), pause(60_000, never)]
    caller.abort(new Error('enough'))
    await expect(waits[0]).rejects.toThrow('enough')
    closing.abort(failure('closed', 'the store was closed', {}))
    await expect(waits[1]).rejects.toThrow('the store was closed')
    await expect(pause(60_000, never)).rejects.toThrow('the store was closed')
  })
})
