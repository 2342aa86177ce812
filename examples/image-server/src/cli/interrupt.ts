import { constants } from 'node:os'

/** The first SIGINT or SIGTERM aborts, so that everything is closed in order; the second ends the process at once. */
export interface Interrupt extends Disposable {
  readonly signal: AbortSignal
  /** Of the process, once it was asked to stop. */
  exitCode(): number | undefined
}

export function interrupt(): Interrupt {
  const aborting = new AbortController()
  let code: number | undefined
  const onSignal = (name: 'SIGINT' | 'SIGTERM'): void => {
    const asked = code
    code = 128 + constants.signals[name]
    if (asked !== undefined) process.exit(code)
    aborting.abort()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return {
    signal: aborting.signal,
    exitCode: () => code,
    [Symbol.dispose]: () => void process.off('SIGINT', onSignal).off('SIGTERM', onSignal),
  }
}
