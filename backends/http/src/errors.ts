import { type ErrorCode, type ErrorDetails, isMullionError, MullionError } from 'mullion'

/**
 * An error of this store. The cause is left out on purpose: errors of HTTP clients carry the request with its
 * credentials, and bodies of the remote server.
 */
export function failure<C extends ErrorCode>(
  code: C,
  what: string,
  details: ErrorDetails[C],
  retryable?: boolean,
): MullionError<C> {
  return new MullionError(code, `http store: ${what}`, { details, ...(retryable !== undefined && { retryable }) })
}

export function badLocation(reason: string): MullionError<'invalid_location'> {
  return failure('invalid_location', reason, { reason })
}

/**
 * One text for every target that may not be used, and for names that do not exist: whoever can name a location must not
 * learn from the answer what lies in the network of the server.
 */
export function refusedTarget(): MullionError<'invalid_location'> {
  return badLocation('the target does not exist or is not allowed: private, reserved, or refused by the configuration')
}

/** The server breaks the protocol; asking again would not help. */
export function brokenAnswer(what: string): MullionError<'unavailable'> {
  return failure('unavailable', what, {}, false)
}

/** The error of a final status that is no success. `afterMs` is what Retry-After asks for. */
export function statusError(status: number, location: string, afterMs: number | undefined): MullionError {
  const what = `the server answered ${status}`
  const pause = afterMs === undefined ? {} : { afterMs }
  if (status === 404 || status === 410) return failure('not_found', what, { location })
  if (status === 401) return failure('unauthenticated', what, {})
  if (status === 403) return failure('permission_denied', what, {})
  if (status === 429) return failure('rate_limited', what, pause)
  if (status === 408 || status >= 500) return failure('unavailable', what, pause)
  if (status >= 300) return badLocation(what)
  return brokenAnswer(what)
}

/** Codes of OpenSSL and Node for a peer whose certificate does not prove who it is. */
const UNTRUSTED = /CERT|^UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|CRL|^ERR_TLS_/

/** What the HTTP client or its socket threw, in our words. */
export function transportError(error: unknown): MullionError {
  const cause = error instanceof Error ? error.cause : undefined
  if (isMullionError(error)) return error
  if (isMullionError(cause)) return cause
  const timer = timerOf(error) ?? timerOf(cause)
  if (timer) return failure('timeout', `no ${timer.phase} within ${timer.limitMs} ms`, { limitMs: timer.limitMs })
  const code = codeOf(error) ?? codeOf(cause) ?? 'unknown reason'
  if (code === 'ERR_HTTP_CONTENT_LENGTH_MISMATCH')
    return failure('unavailable', 'the body ended before its announced length', {})
  if (UNTRUSTED.test(code)) return brokenAnswer(`the certificate of the server is not trusted: ${code}`)
  if (code.startsWith('HPE_')) return brokenAnswer(`the answer is no HTTP: ${code}`)
  return failure('unavailable', `the connection failed: ${code}`, {})
}

/** got: source/core/timed-out.ts names the phase in `event` and the limit in the message. */
function timerOf(error: unknown): { phase: string; limitMs: number } | undefined {
  if (!(error instanceof Error) || !('event' in error) || typeof error.event !== 'string') return undefined
  const limitMs = Number(/(\d+)ms/.exec(error.message)?.[1] ?? 0)
  return { phase: error.event, limitMs }
}

export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return /^[A-Z][A-Z0-9_]*$/.test(error.code) ? error.code : undefined
}
