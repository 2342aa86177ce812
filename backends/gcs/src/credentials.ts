import { readFile } from 'node:fs/promises'
import { Storage } from '@google-cloud/storage'
import type { GcsSettings } from './config.ts'
import { failure, timedOut } from './errors.ts'
import type { Exchange } from './exchange.ts'
import type { MullionError } from 'mullion'

/** Where the headers come from that prove who asks. */
export interface Credentials {
  /** Rejects `unauthenticated`, `unavailable`, or with the reason of the signal. */
  headers(signal: AbortSignal): Promise<Readonly<Record<string, string>>>
  /** The service refused these headers: the next ones are new. */
  renew(refused: Readonly<Record<string, string>>): Promise<void>
}

type Auth = Storage['authClient']
type Key = Readonly<Record<string, unknown>>

/** Rejects `invalid_config` when the key file cannot be read. Asks for no token yet. */
export async function createCredentials(settings: GcsSettings, exchange: Exchange): Promise<Credentials> {
  if (settings.anonymous) return { headers: async () => ({}), renew: async () => {} }
  const { keyFile, credentials } = settings
  const key = keyFile === undefined ? credentials : await readKey(keyFile)
  const auth = authOf(settings, exchange, key)
  return {
    async headers(signal) {
      const asked = auth.getRequestHeaders(settings.endpoint)
      const headers = await unless(signal, asked).catch((error: unknown) => {
        throw stopReason(signal, exchange) ?? tokenError(error, settings.responseTimeoutMs)
      })
      return Object.fromEntries(headers.entries())
    },
    async renew({ authorization }) {
      const client = await auth.getClient()
      const current = client.credentials.access_token
      if (authorization !== `Bearer ${current}`) return // somebody else has renewed it meanwhile
      client.setCredentials({ ...client.credentials, expiry_date: 1 })
    },
  }
}

/** The endpoint for tokens that google-auth-library has built in. */
const GOOGLE_TOKENS = 'https://oauth2.googleapis.com/token'

/**
 * The SDK knows every kind of credentials and keeps tokens fresh. Its own retries are off: those of the upload and of the
 * core are enough. At another endpoint than Google's the key says where tokens come from.
 */
function authOf(
  { endpoint, isGoogle, responseTimeoutMs }: GcsSettings,
  exchange: Exchange,
  key: Key | undefined,
): Auth {
  const tokens = !isGoogle && typeof key?.['token_uri'] === 'string' ? new URL(key['token_uri']) : undefined
  const { authClient } = new Storage({
    apiEndpoint: endpoint,
    useAuthWithCustomEndpoint: true,
    clientOptions: {
      transporterOptions: {
        agent: exchange.agentFor,
        signal: exchange.closing,
        timeout: responseTimeoutMs,
        retryConfig: { retry: 0 },
        adapter(options, proceed) {
          return proceed(tokens && options.url.href === GOOGLE_TOKENS ? { ...options, url: tokens } : options)
        },
      },
    },
  })
  // not by its options `credentials` and `keyFilename`: those print warnings
  if (key) authClient.jsonContent = key
  return authClient
}

async function readKey(keyFile: string): Promise<Key> {
  try {
    const key: unknown = JSON.parse(await readFile(keyFile, 'utf8'))
    if (typeof key === 'object' && key !== null) return key as Key
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw badKey('cannot be read')
  }
  throw badKey('is no JSON object')
}

/** What the file holds is not said, not even where its syntax breaks. */
function badKey(what: string): MullionError<'invalid_config'> {
  const issue = `keyFile: ${what}`
  return failure('invalid_config', issue, { plugin: 'gcs', issues: [issue] })
}

function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}

function stopReason(signal: AbortSignal, { closing }: Exchange): unknown {
  return [signal, closing].find((each) => each.aborted)?.reason
}

/** RFC 6749 §5.2 has the words of a token server; whatever else it says may hold what was sent. */
function tokenError(error: unknown, limitMs: number): MullionError {
  const { status, data } = answerIn(error)
  const word = typeof data?.['error'] === 'string' && /^[a-z_]{1,40}$/.test(data['error']) ? ` ${data['error']}` : ''
  if (status === 429 || (status !== undefined && status >= 500)) {
    return failure('unavailable', `the token server answered ${status}${word}`, {})
  }
  if (status !== undefined) return failure('unauthenticated', `the token server answered ${status}${word}`, {})
  if (isRequestError(error)) {
    const isLate = 'code' in error && error.code === 'TimeoutError'
    return isLate ? timedOut('no token', limitMs) : failure('unavailable', 'the token server cannot be reached', {})
  }
  return failure('unauthenticated', 'the credentials are missing or cannot be used', {})
}

function answerIn(error: unknown): { status?: number; data?: Record<string, unknown> } {
  const response = (error as { response?: { status?: unknown; data?: unknown } } | undefined)?.response
  const { status, data } = response ?? {}
  return {
    ...(typeof status === 'number' && { status }),
    ...(typeof data === 'object' && data !== null && { data: data as Record<string, unknown> }),
  }
}

/** An error of gaxios has the request with it. */
function isRequestError(error: unknown): error is Error {
  return error instanceof Error && 'config' in error
}
