import { describe, expect, it } from 'vitest'
import { every } from '../../src/server/loop.ts'

describe('a loop', () => {
  it('runs at once and again, also after a failure, until its signal', async () => {
    const controller = new AbortController()
    const failures: unknown[] = []
    let runs = 0
    await every(
      1,
      async () => {
        runs += 1
        if (runs === 3) controller.abort()
        if (runs === 1) throw new Error('first')
      },
      { signal: controller.signal, onFailure: (error) => failures.push(error) },
    )
    expect(runs).toBe(3)
    expect(failures).toEqual([new Error('first')])
  })

  it('does not wait for its next turn when told to stop', async () => {
    const controller = new AbortController()
    const over = every(2_000_000_000, async () => queueMicrotask(() => controller.abort()), {
      signal: controller.signal,
      onFailure: () => {},
    })
    await expect(over).resolves.toBeUndefined()
  })

  it('does nothing when told to stop before', async () => {
    await every(1, () => Promise.reject(new Error('ran')), {
      signal: AbortSignal.abort(),
      onFailure: (error) => {
        throw error
      },
    })
  })
})
