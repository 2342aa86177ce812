import { setMaxListeners } from 'node:events'
import { type AgentPools, createAgents, destroyAgents, trusting } from './agents.ts'
import type { AskIdentity } from './auth/token.ts'
import type { SwiftSettings } from './config.ts'
import { failure } from './errors.ts'
import { type Answer, type Exchange, exchange, type Limits, type Method, type Send, upload } from './exchange.ts'
import { headerOf, replyOf } from './reply.ts'

/** What a request is about; the rest is the same for all of a store. */
export interface Ask {
  readonly method: Method
  readonly url: string
  readonly headers: Exchange['headers']
  readonly body?: Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
  /** Default: as configured. */
  readonly responseTimeoutMs?: number | undefined
  /** Whether it holds its connection for long: bodies of images. */
  readonly isLong?: boolean | undefined
}

/** Connections of one store. */
export interface Client {
  readonly limits: Limits
  exchange(ask: Ask): Promise<Answer>
  upload(ask: Ask, feed: (send: Send) => Promise<void>): Promise<Answer>
  readonly askIdentity: AskIdentity
  /** Ends with the store. */
  readonly closing: AbortSignal
  /** What is in flight fails with `closed`. */
  close(): void
}

export async function createClient(settings: SwiftSettings): Promise<Client> {
  const secureContext = settings.ca === undefined ? undefined : await trusting(settings.ca)
  const agents = createAgents(settings.maxConnections, secureContext)
  const closing = new AbortController()
  setMaxListeners(0, closing.signal) // one listener for each request in flight
  const of = (ask: Ask): Exchange => exchangeOf(ask, settings, agents, closing.signal)

  return {
    limits: settings,
    exchange: (ask) => exchange(of(ask)),
    upload: (ask, feed) => upload(of({ ...ask, isLong: true }), feed),
    async askIdentity(request) {
      const { status, headers, text } = await replyOf(await exchange(of(request)), settings.responseTimeoutMs)
      return { status, text, header: (name) => headerOf(headers, name) }
    },
    closing: closing.signal,
    close() {
      closing.abort(failure('closed', 'the store was closed', {}))
      destroyAgents(agents)
    },
  }
}

function exchangeOf(
  { signal, responseTimeoutMs, isLong = false, ...ask }: Ask,
  settings: SwiftSettings,
  { long, short }: AgentPools,
  closing: AbortSignal,
): Exchange {
  const limits = responseTimeoutMs === undefined ? settings : { ...settings, responseTimeoutMs }
  const { kept, fresh } = isLong ? long : short
  const agents = ask.method === 'PUT' || ask.method === 'POST' ? fresh : kept
  return { ...ask, agents, limits, signals: signal ? [signal, closing] : [closing] }
}
