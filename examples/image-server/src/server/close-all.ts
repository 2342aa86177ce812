import type { Logger } from 'pino'

/** Closes from the last to the first. Does not reject: one that would not close is logged, and the others are closed. */
export async function closeAll(closers: readonly (() => unknown)[], log: Logger): Promise<void> {
  for (const close of closers.toReversed()) {
    try {
      await close()
    } catch (error) {
      log.error({ err: error }, 'closing after a failed start')
    }
  }
}
