import { setTimeout as wait } from 'node:timers/promises'
import type { Engine } from './engine.ts'

export interface Patience extends Pick<Engine, 'classify' | 'longestPauseMs'> {
  readonly busyTimeoutMs: number
}

/** Repeats `work` while the database is busy or away. Waits without holding the connection or the thread. */
export async function patiently<T>(
  work: () => T | Promise<T>,
  { classify, longestPauseMs, busyTimeoutMs }: Patience,
): Promise<T> {
  const deadline = performance.now() + busyTimeoutMs
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (classify(error) !== 'unavailable' || performance.now() >= deadline) throw error
      await wait(Math.min(longestPauseMs, 2 ** attempt) * (0.5 + Math.random() / 2))
    }
  }
}
