import { tracingChannel } from 'node:diagnostics_channel'
import type { Layer } from '../plugin.ts'
import { type Call, around } from './around.ts'

/** What subscribers of `tracing:mullion:store:*` receive; the same object for all events of one call. */
export interface TraceContext {
  readonly op: Call['op']
  readonly store: string
  readonly plugin: string
  readonly key: string | undefined
  /** Redacted. */
  readonly location: string | undefined
  /** Counts while bodies move. */
  readonly bytes: number
  /** Set before `error` is published. */
  error?: unknown
}

const channel = tracingChannel<unknown, TraceContext>('mullion:store')

/**
 * Publishes every call on the tracing channel `mullion:store` of node:diagnostics_channel; `asyncEnd` of a read comes
 * when its body is over. Results are not published: they may hold secrets. Free without subscribers.
 */
export function tracing(): Layer {
  return around(traced, { transfer: 'counted', enabled: () => channel.hasSubscribers })
}

async function traced<T>(call: Call, next: () => Promise<T>): Promise<T> {
  const { op, store, plugin, key, location } = call
  const context: TraceContext = {
    op,
    store,
    plugin,
    key,
    location,
    get bytes() {
      return call.bytes
    },
  }
  const outcome: { value?: T } = {}
  await channel.tracePromise(async () => {
    outcome.value = await next() // kept from tracePromise, which would publish it
  }, context)
  return outcome.value as T
}
