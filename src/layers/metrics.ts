import type { ErrorCode } from '../errors.ts'
import type { Layer } from '../plugin.ts'
import { type Call, around } from './around.ts'
import { type Clock, systemClock } from './clock.ts'

export interface Sample {
  readonly op: Call['op']
  readonly store: string
  readonly plugin: string
  /** Of a read until its body ended, failed or was let go. */
  readonly durationMs: number
  readonly bytes: number
  /** `aborted` when the caller's signal ended it. */
  readonly outcome: 'ok' | 'aborted' | ErrorCode
}

/** Reports every call when it is over, attempts that will be repeated included. `record` must neither throw nor wait. */
export function metrics(
  record: (sample: Sample) => void,
  { clock = systemClock }: { readonly clock?: Clock } = {},
): Layer {
  return around(
    async (call, next) => {
      const begin = clock.now()
      const report = (outcome: Sample['outcome']): void => {
        const { op, store, plugin, bytes } = call
        record({ op, store, plugin, durationMs: clock.now() - begin, bytes, outcome })
      }
      try {
        const result = await next()
        report('ok')
        return result
      } catch (error) {
        report(call.signal.aborted ? 'aborted' : call.classify(error))
        throw error
      }
    },
    { transfer: 'counted' },
  )
}
