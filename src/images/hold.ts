import { abortScope } from '../abort.ts'
import { isMullionError } from '../errors.ts'
import type { Ports } from './ports.ts'
import type { Claim } from './tasks.ts'

/** A task that is being done. Dispose of it when the work is over. */
export interface Held extends Disposable {
  /** Aborts when the work has to stop: with the caller's reason, or with `conflict` when somebody else has the task. */
  readonly signal: AbortSignal
}

/**
 * Renews the lease of a claim until disposed of. While the queue cannot be reached the work goes on: if somebody takes the
 * task over meanwhile, the record of the image refuses what this holder writes.
 */
export function hold({ tasks }: Pick<Ports, 'tasks'>, claim: Claim, signal?: AbortSignal): Held {
  const scope = abortScope(signal)
  let renewing = false
  const renew = async (): Promise<void> => {
    if (renewing) return
    renewing = true
    try {
      await tasks.renew(claim)
    } catch (error) {
      if (isMullionError(error, 'conflict')) scope.abort(error)
    } finally {
      renewing = false
    }
  }
  const timer = setInterval(() => void renew(), Math.max(1, claim.leaseMs / 3)).unref()
  return {
    signal: scope.signal,
    [Symbol.dispose]() {
      clearInterval(timer)
      scope[Symbol.dispose]()
    },
  }
}

/** Says that the task is over. What the queue does not hear now it learns when the lease has run out. */
export async function settle({ tasks }: Pick<Ports, 'tasks'>, claim: Claim, failure?: string): Promise<void> {
  try {
    await tasks.settle(claim, failure)
  } catch (error) {
    if (!isMullionError(error)) throw error
  }
}
