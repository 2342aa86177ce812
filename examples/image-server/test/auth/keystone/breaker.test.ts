import { describe, expect, it } from 'vitest'
import { type Breaker, createBreaker, KeystoneUnavailable } from '../../../src/auth/keystone/breaker.ts'

function scene(): { breaker: Breaker; clock: { now: number }; changes: string[]; asked: () => number; ask: Ask } {
  const clock = { now: 0 }
  const changes: string[] = []
  let asked = 0
  const breaker = createBreaker({ now: () => clock.now, onChange: (state) => changes.push(state) })
  const ask: Ask = (error) =>
    breaker.run(async () => {
      asked++
      if (error) throw error
      return 'answer'
    })
  return { breaker, clock, changes, asked: () => asked, ask }
}
type Ask = (error?: Error) => Promise<string>

const down = new KeystoneUnavailable('down')
const open = async (ask: Ask): Promise<void> => {
  for (let time = 0; time < 3; time++) await expect(ask(down)).rejects.toBe(down)
}

describe('the breaker before Keystone', () => {
  it('asks no more after three failures in a row, and says how long to wait', async () => {
    const { ask, asked, changes } = scene()
    await open(ask)
    await expect(ask()).rejects.toMatchObject({ name: 'KeystoneUnavailable', pauseMs: 1000 })
    expect([asked(), changes]).toEqual([3, ['open']])
  })

  it('forgets failures that an answer parts', async () => {
    const { ask, changes } = scene()
    for (const error of [down, down, undefined, down, down, undefined]) await ask(error).catch(() => {})
    expect(changes).toEqual([])
  })

  it('lets one question through after the pause, and all once that is answered', async () => {
    const { breaker, clock, ask, changes } = scene()
    await open(ask)
    clock.now += 1000
    const probe = Promise.withResolvers<string>()
    const probing = breaker.run(() => probe.promise)
    await expect(ask()).rejects.toBeInstanceOf(KeystoneUnavailable)
    probe.resolve('first')
    expect(await probing).toBe('first')
    expect(await ask()).toBe('answer')
    expect(changes).toEqual(['open', 'closed'])
  })

  it('doubles the pause with each question that fails, to half a minute', async () => {
    const { clock, ask } = scene()
    await open(ask)
    const pauses: unknown[] = []
    for (let time = 0; time < 7; time++) {
      clock.now += 30_000
      await ask(down).catch(() => {})
      pauses.push(await ask().catch((error: KeystoneUnavailable) => error.pauseMs))
    }
    expect(pauses).toEqual([2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  })

  it('counts many failures at the same moment as one', async () => {
    const { breaker, ask } = scene()
    const silent = Promise.withResolvers<string>()
    const waiting = Array.from({ length: 50 }, () => breaker.run(() => silent.promise).catch(() => {}))
    silent.reject(down)
    await Promise.all(waiting)
    await expect(ask()).rejects.toMatchObject({ pauseMs: 1000 })
  })

  it('waits as long as the service asks for, within reason, after one failure', async () => {
    const { ask } = scene()
    await ask(new KeystoneUnavailable('busy', { pauseMs: 7000 })).catch(() => {})
    await expect(ask()).rejects.toMatchObject({ pauseMs: 7000 })
    const other = scene()
    await other.ask(new KeystoneUnavailable('busy', { pauseMs: 86_400_000 })).catch(() => {})
    await expect(other.ask()).rejects.toMatchObject({ pauseMs: 30_000 })
  })

  it('is not moved by what fails for one question only, nor by other errors', async () => {
    const { ask, changes } = scene()
    const one = new KeystoneUnavailable('this one', { isDown: false })
    for (let time = 0; time < 5; time++) await ask(time % 2 ? one : new Error('a bug')).catch(() => {})
    expect([await ask(), changes]).toEqual(['answer', []])
  })
})
