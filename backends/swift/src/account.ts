import { endpointOf } from './auth/catalog.ts'
import type { Session } from './auth/session.ts'
import type { Token } from './auth/token.ts'
import type { Client } from './client.ts'
import type { SwiftSettings } from './config.ts'
import { badConfig, failure } from './errors.ts'
import type { Answer, Method, Send } from './exchange.ts'
import { type Reply, replyOf } from './reply.ts'

/** A request to an account. */
export interface Call {
  readonly method: Method
  /** Behind the storage URL, as `pathOf` makes it. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined
  readonly body?: Uint8Array | undefined
  readonly signal: AbortSignal
  readonly responseTimeoutMs?: number | undefined
  /** Whether it holds its connection for long. `open` and `upload` always do. */
  readonly isLong?: boolean | undefined
}

/** An account of Swift: what its storage URL and a token open. A 401 is answered with a new token, once. */
export interface Account {
  /** Rejects what authentication rejects with. */
  storageUrl(signal: AbortSignal): Promise<string>
  /** The storage URL as far as it is known without asking. */
  knownStorageUrl(): string | undefined
  /** For bodies of any length: whoever gets the answer reads its stream or destroys it. */
  open(call: Call): Promise<Answer>
  /** The answer with its body read. */
  request(call: Call): Promise<Reply>
  /** Sends a body that can be read once. */
  upload(call: Call, feed: (send: Send) => Promise<void>): Promise<Reply>
}

/**
 * The path of a container or an object. Throws `invalid_argument` for a name with `.` or `..` between slashes: Swift allows
 * it, but what parses URLs would make it the name of something else (WHATWG URL, "shorten a url's path").
 */
export function pathOf(container: string, object?: string): string {
  if (!isPlain(container) || (object !== undefined && !isPlain(object)))
    throw failure('invalid_argument', 'a name holds "." or ".." as a part of its path', { name: 'name' })
  const within = object === undefined ? '' : `/${object.split('/').map(encodeURIComponent).join('/')}`
  return `/${encodeURIComponent(container)}${within}`
}

function isPlain(name: string): boolean {
  return name.split('/').every((part) => part !== '.' && part !== '..')
}

export function createAccount(client: Client, session: Session, settings: SwiftSettings): Account {
  let known = settings.storageUrl

  async function authorized(signal: AbortSignal): Promise<{ token: Token; base: string }> {
    const token = await orAborted(session.token(), signal)
    known = settings.storageUrl ?? storageUrlOf(token, settings)
    return { token, base: known }
  }

  async function attempt(call: Call, ask: (base: string, token: Token) => Promise<Answer>): Promise<Answer> {
    const { token, base } = await authorized(call.signal)
    const answer = await ask(base, token)
    if (answer.status !== 401 || !session.refused(token)) return answer
    answer.stream.destroy()
    const again = await authorized(call.signal)
    return ask(again.base, again.token)
  }

  function open(call: Call): Promise<Answer> {
    const { path, headers, ...rest } = call
    return attempt(call, (base, { value }) =>
      client.exchange({ ...rest, url: base + path, headers: { ...headers, 'x-auth-token': value } }),
    )
  }

  return {
    storageUrl: async (signal) => (await authorized(signal)).base,
    knownStorageUrl: () => known,
    open: (call) => open({ ...call, isLong: true }),
    async request(call) {
      const answer = await open(call)
      if (call.method !== 'HEAD') return replyOf(answer, client.limits.idleTimeoutMs)
      return { ...answer, text: '' }
    },
    async upload(call, feed) {
      const { path, headers, ...rest } = call
      let isFed = false
      const answer = await attempt(call, async (base, { value }) => {
        if (isFed) throw lostToken()
        const ask = { ...rest, url: base + path, headers: { ...headers, 'x-auth-token': value } }
        return client.upload(ask, (send) => {
          isFed = true
          return feed(send)
        })
      })
      return replyOf(answer, client.limits.idleTimeoutMs)
    },
  }
}

/** What stands between us and the server took the body before the server looked at the token. */
function lostToken(): Error {
  return failure('unavailable', 'the token was refused when the body was on its way already', {})
}

function storageUrlOf({ storageUrl, catalog }: Token, settings: SwiftSettings): string {
  const { serviceType, interface: kind, region } = settings
  const url = storageUrl ?? endpointOf(catalog, { serviceType, interface: kind, region })
  if (url === undefined) {
    const where = region === undefined ? '' : ` in region ${region}`
    throw badConfig(`the catalogue has no ${kind} endpoint of type ${serviceType}${where}`)
  }
  return url.replace(/\/+$/, '')
}

/** The promise, or the reason of the signal; the others who wait for it go on waiting. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let stop: (() => void) | undefined
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    if (stop) signal.removeEventListener('abort', stop)
  }
}
