import { setMaxListeners } from 'node:events'
import type { Agents } from './agents.ts'
import type { HttpSettings } from './config.ts'
import { badLocation, failure } from './errors.ts'
import { type Answer, exchange } from './exchange.ts'
import type { Guard } from './guard.ts'
import type { HttpLocation } from './location.ts'
import { redirected } from './redirect.ts'

export interface Ask {
  readonly method: 'GET' | 'HEAD'
  /** Value of the Range header. */
  readonly range?: string | undefined
  readonly signal: AbortSignal
}

export interface Client {
  /**
   * The last answer of a chain of redirects. Rejects `timeout`, `unavailable`, `invalid_location`, or with the reason of
   * the signal.
   */
  request(at: HttpLocation, ask: Ask): Promise<Answer>
  /** What is in flight fails with `closed`. */
  close(): void
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

export function createClient(settings: HttpSettings, guard: Guard, agents: Agents): Client {
  const { maxRedirects, userAgent } = settings
  const closing = new AbortController()
  setMaxListeners(0, closing.signal) // one listener for each request in flight

  async function request(at: HttpLocation, { method, range, signal }: Ask): Promise<Answer> {
    let url = new URL(at.url)
    let { authorization } = at
    for (let hops = 0; ; hops += 1) {
      guard.assertUrl(url)
      const headers = { 'user-agent': userAgent, accept: '*/*', 'accept-encoding': 'identity', range, authorization }
      const answer = await exchange({ url, method, headers, agents, signals: [signal, closing.signal], ...settings })
      if (!REDIRECTS.has(answer.status)) return answer
      answer.stream.destroy() // its body is of no use and may be endless
      if (hops >= maxRedirects) throw badLocation(`more than ${maxRedirects} redirects`)
      const next = redirected(url, answer.headers.location)
      // credentials are for the origin they were given for; they do not come back either
      if (next.origin !== url.origin) authorization = undefined
      url = next
    }
  }

  return {
    request,
    close() {
      closing.abort(failure('closed', 'the store was closed', {}))
      agents.http.destroy()
      agents.https.destroy()
    },
  }
}
