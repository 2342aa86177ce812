import type { Clock } from '../layers/clock.ts'

export interface ManualClock extends Clock {
  /** Moves on by `ms`, running what is due in order of time, and what that sets up in turn. */
  advance(ms: number): Promise<void>
  /** Timers that have neither run nor been cancelled. */
  readonly pending: number
}

/** Time that passes only when told to. */
export function manualClock(start = 0): ManualClock {
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  let now = start
  const due = (until: number): { readonly at: number; readonly run: () => void } | undefined =>
    [...timers].filter(({ at }) => at <= until).toSorted((a, b) => a.at - b.at)[0]
  return {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + Math.max(0, ms), run }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    async advance(ms) {
      const until = now + ms
      await settle()
      for (let timer = due(until); timer; timer = due(until)) {
        timers.delete(timer)
        now = timer.at
        timer.run()
        await settle()
      }
      now = until
    },
    get pending() {
      return timers.size
    },
  }
}

/** Lets promises that are ready run on. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
