import { setTimeout as sleep } from 'node:timers/promises'
import { isPassing } from './errors.ts'

const BASE_MS = 100
const MAX_MS = 5000

/** Runs `attempt` again while it fails with what may pass. Rejects with the last error, or the reason of the signal. */
export async function attempted<T>(tries: number, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (let number = 1; ; number += 1) {
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      if (number >= tries || !isPassing(error)) throw error
      await pause(number, signal)
    }
  }
}

/** The wait after try `number`, from 1: full jitter over a window that doubles. Rejects with the reason of the signal. */
export async function pause(number: number, signal: AbortSignal): Promise<void> {
  const ms = Math.random() * Math.min(MAX_MS, BASE_MS * 2 ** (number - 1))
  await sleep(ms, undefined, { signal }).catch(() => signal.throwIfAborted())
}
