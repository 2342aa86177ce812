import { setTimeout as delay } from 'node:timers/promises'

/** Runs `step` now and then every `intervalMs` after it ended, until the signal. A failing step is told to `onFailure`. */
export async function every(
  intervalMs: number,
  step: () => Promise<unknown>,
  { signal, onFailure }: { readonly signal: AbortSignal; readonly onFailure: (error: unknown) => void },
): Promise<void> {
  while (!signal.aborted) {
    await step().catch(onFailure)
    await delay(intervalMs, undefined, { signal }).catch(() => {})
  }
}
