import { type ErrorCode, type ErrorDetails, isMullionError, MullionError, redactText } from 'mullion'

/**
 * An error of this store. The cause is left out on purpose: errors of HTTP clients carry the request with its token, its
 * signed assertion, or the address of an upload session, which is all it takes to write into that upload.
 */
export function failure<C extends ErrorCode>(
  code: C,
  what: string,
  details: ErrorDetails[C],
  retryable?: boolean,
): MullionError<C> {
  return new MullionError(code, `gcs store: ${what}`, { details, ...(retryable !== undefined && { retryable }) })
}

/** The service breaks its protocol; asking again would not help. */
export function brokenAnswer(what: string): MullionError<'unavailable'> {
  return failure('unavailable', what, {}, false)
}

/** What an answer that is no success says. */
export interface Refusal {
  readonly status: number
  /** Google's own word for it, such as `rateLimitExceeded`. */
  readonly reason: string | undefined
  readonly message: string | undefined
  /** What Retry-After asks for. */
  readonly afterMs: number | undefined
}

/** Reasons of a 403 that mean "slower": https://cloud.google.com/storage/docs/json_api/v1/status-codes */
const SLOWER: ReadonlySet<string> = new Set([
  'rateLimitExceeded',
  'userRateLimitExceeded',
  'quotaExceeded',
  'dailyLimitExceeded',
])

/** `place` is the object in question, as text. */
export function refusalError(refusal: Refusal, place: string): MullionError {
  const { status, message = '', afterMs } = refusal
  const pause = afterMs === undefined ? {} : { afterMs }
  const what = `the service answered ${describe(refusal)}`
  if (status === 404) return notFound(message, what, place)
  if (status === 401) return failure('unauthenticated', what, {})
  if (status === 403 && isSlower(refusal)) return failure('rate_limited', what, pause)
  if (status === 403) return failure('permission_denied', what, {})
  if (status === 412) return failure('conflict', what, { expected: place })
  if (status === 413) return failure('too_large', what, { limit: MAX_OBJECT_BYTES })
  if (status === 429) return failure('rate_limited', what, pause)
  if (status === 507) return failure('storage_full', what, {})
  if (status === 408 || status === 409 || status >= 500) return failure('unavailable', what, pause)
  if (status === 400) return failure('invalid_argument', what, { name: 'request' })
  return brokenAnswer(what)
}

/** Answers to requests for bytes have a message only. */
function isSlower({ reason, message = '' }: Refusal): boolean {
  return reason === undefined ? /rate limit/i.test(message) : SLOWER.has(reason)
}

/** https://cloud.google.com/storage/quotas#objects: 5 TiB. */
export const MAX_OBJECT_BYTES: number = 5 * 1024 ** 4

/** A bucket that is gone says nothing about its objects: nobody may conclude that an image was deleted. */
function notFound(message: string, what: string, location: string): MullionError {
  if (/bucket does not exist/i.test(message)) return brokenAnswer(`${what}; create the bucket, or correct its name`)
  return failure('not_found', what, { location })
}

function describe({ status, reason, message }: Refusal): string {
  const said = message === undefined ? '' : `: ${redactText(message).slice(0, 300)}`
  return `${status}${reason === undefined ? '' : ` ${reason}`}${said}`
}

/** Codes of OpenSSL and Node for a peer whose certificate does not prove who it is. */
const UNTRUSTED = /CERT|^UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|CRL|^ERR_TLS_/

/** What a socket or Node's HTTP client failed with, in our words. */
export function transportError(error: unknown): MullionError {
  if (isMullionError(error)) return error
  const code = codeOf(error) ?? 'unknown reason'
  if (UNTRUSTED.test(code)) return brokenAnswer(`the certificate of the service is not trusted: ${code}`)
  if (code.startsWith('HPE_')) return brokenAnswer(`the answer is no HTTP: ${code}`)
  return failure('unavailable', `the connection failed: ${code}`, {})
}

export function timedOut(what: string, limitMs: number): MullionError<'timeout'> {
  return failure('timeout', `${what} within ${limitMs} ms`, { limitMs })
}

/** `ECONNRESET` and the like. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return /^[A-Z][A-Z0-9_]*$/.test(error.code) ? error.code : undefined
}
