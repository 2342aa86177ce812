import { setMaxListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { isMullionError } from 'mullion'
import { type AgentPools, destroyAgents, openAgents } from './agents.ts'
import type { RegistryCredentials, RemoteRegistrySettings } from './config.ts'
import { failure } from './errors.ts'
import { exchange, type Method, type Outcome } from './exchange.ts'
import { outage, type Reply, replyOf } from './reply.ts'

export interface Ask {
  readonly method: Method
  /** Below the URL of the registry, escaped, with its query. */
  readonly path: string
  readonly body?: object | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** Whether the registry may get the request twice. What surely did not reach it is sent again in any case. */
  readonly repeatable: boolean
}

/** Connections to one registry. */
export interface Client {
  /**
   * Every status is an answer except those of an outage. Rejects `unavailable`, `timeout`, `unauthenticated`, `closed`
   * or what the token provider rejects with.
   */
  ask(ask: Ask): Promise<Reply>
  /** What is in flight fails with `closed`. */
  close(): void
}

const FIRST_PAUSE_MS = 100

export async function openClient(settings: RemoteRegistrySettings): Promise<Client> {
  const agents = await openAgents(settings)
  const closing = new AbortController()
  setMaxListeners(0, closing.signal) // one listener for each request in flight

  async function send(ask: Ask, identity: Readonly<Record<string, string>>): Promise<Outcome> {
    if (closing.signal.aborted) return { failed: failure('closed', 'it was closed', {}), arrived: false }
    const { method, body, headers } = ask
    const { connectTimeoutMs, responseTimeoutMs } = settings
    return exchange({
      method,
      url: settings.url.replace(/\/+$/, '') + ask.path,
      headers: {
        ...identity,
        ...headers,
        'x-mullion-registry': '1',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      agents: poolFor(ask, agents),
      connectTimeoutMs,
      responseTimeoutMs,
      closing: closing.signal,
    })
  }

  return {
    ask: (ask) => repeating(ask, settings.attempts, closing.signal, () => identified(settings.credentials, ask, send)),
    close() {
      closing.abort()
      destroyAgents(agents)
    },
  }
}

/** A kept connection may turn out to be dead after the request was written to it: then nobody knows what became of it. */
function poolFor({ repeatable }: Ask, { kept, fresh }: AgentPools): AgentPools['kept'] {
  return repeatable ? kept : fresh
}

type Send = (ask: Ask, identity: Readonly<Record<string, string>>) => Promise<Outcome>

/** A token that is refused is renewed once: a request without authentication was not carried out. */
async function identified(credentials: RegistryCredentials, ask: Ask, send: Send): Promise<Outcome> {
  if (credentials.type !== 'provider') return send(ask, headersOf(credentials))
  const { provider } = credentials
  const token = await provider.token()
  const outcome = await send(ask, { 'x-auth-token': token })
  if (!('status' in outcome) || outcome.status !== 401) return outcome
  provider.refused(token)
  return send(ask, { 'x-auth-token': await provider.token() })
}

function headersOf(credentials: Exclude<RegistryCredentials, { type: 'provider' }>): Readonly<Record<string, string>> {
  if (credentials.type === 'none') return {}
  if (credentials.type === 'bearer') return { authorization: `Bearer ${credentials.token}` }
  const { user, project, roles } = credentials
  return {
    'x-identity-status': 'Confirmed',
    'x-roles': roles.join(','),
    ...(user !== undefined && { 'x-user-id': user }),
    ...(project !== undefined && { 'x-project-id': project, 'x-tenant-id': project }),
  }
}

/** The only retry loop on the way to the registry. */
async function repeating(
  { repeatable }: Ask,
  attempts: number,
  closing: AbortSignal,
  once: () => Promise<Outcome>,
): Promise<Reply> {
  let uncertain = false
  for (let attempt = 1; ; attempt += 1) {
    const outcome = await once()
    const failed = 'failed' in outcome ? outcome.failed : outage(outcome)
    if (!failed && 'status' in outcome) return replyOf(outcome, uncertain)
    const arrived = !('failed' in outcome) || outcome.arrived
    if (!failed?.retryable || attempt >= attempts || (arrived && !repeatable)) throw failed ?? new Error('no answer')
    uncertain ||= arrived
    await pause(attempt, isMullionError(failed, 'unavailable') ? failed.details.afterMs : undefined, closing)
  }
}

/** Full jitter over an exponential window: the clients of a registry that comes back should not come all at once. */
async function pause(attempt: number, askedMs: number | undefined, closing: AbortSignal): Promise<void> {
  const ms = Math.max(Math.min(askedMs ?? 0, LONGEST_PAUSE_MS), Math.random() * FIRST_PAUSE_MS * 2 ** attempt)
  await sleep(ms, undefined, { signal: closing }).catch(() => {})
}

const LONGEST_PAUSE_MS = 2_000
