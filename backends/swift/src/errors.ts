import { type ErrorCode, type ErrorDetails, isMullionError, MullionError } from 'mullion'
import { USUAL_LIMITS } from './limits.ts'

/**
 * An error of this store. The cause is left out on purpose: errors of HTTP clients carry the request with its token, and
 * what a server writes about an error may repeat it.
 */
export function failure<C extends ErrorCode>(
  code: C,
  what: string,
  details: ErrorDetails[C],
  retryable?: boolean,
): MullionError<C> {
  return new MullionError(code, `swift store: ${what}`, { details, ...(retryable !== undefined && { retryable }) })
}

export function badLocation(reason: string): MullionError<'invalid_location'> {
  return failure('invalid_location', reason, { reason })
}

export function badConfig(issue: string): MullionError<'invalid_config'> {
  return failure('invalid_config', issue, { plugin: 'swift', issues: [issue] })
}

export function alreadyExists(key: string): MullionError<'already_exists'> {
  return failure('already_exists', `${key} exists`, { key })
}

/** The server breaks the protocol; asking again would not help. */
export function brokenAnswer(what: string): MullionError<'unavailable'> {
  return failure('unavailable', what, {}, false)
}

/** What an answer says that was not hoped for; `text` is the beginning of its body, for telling refusals apart only. */
export interface Refusal {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly text: string
}

/** The error of a status that is no success. `what` names the request: a verb and a place, nothing secret. */
export function statusError({ status, retryAfter, text }: Refusal, what: string): MullionError {
  const said = `${what}: the server answered ${status}`
  const seconds = /^\d{1,6}$/.test(retryAfter ?? '') ? Number(retryAfter) : undefined
  const pause = seconds === undefined ? {} : { afterMs: seconds * 1000 }
  switch (status) {
    case 401:
      return failure('unauthenticated', said, {})
    case 403:
      return failure('permission_denied', said, {})
    case 404:
      return failure('not_found', said, { location: what })
    case 413: // of quotas (swift container_quotas.py, account_quotas.py), and of an object beyond max_file_size
      return /quota/i.test(text)
        ? failure('storage_full', `${said}: a quota is used up`, {})
        : failure('too_large', `${said}: more bytes than it takes at once`, { limit: USUAL_LIMITS.maxFileSize })
    case 422:
      return failure('unavailable', `${said}: other bytes arrived than were sent`, {})
    case 429:
    case 498: // swift ratelimit.py
      return failure('rate_limited', said, pause)
    case 507:
      return failure('storage_full', said, {})
    default:
      // 499: the server saw the connection end (swift proxy controllers/obj.py)
      return status === 408 || status === 409 || status === 499 || status >= 500
        ? failure('unavailable', said, pause)
        : brokenAnswer(said)
  }
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
  return { phase: error.event, limitMs: Number(/(\d+)ms/.exec(error.message)?.[1] ?? 0) }
}

export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return /^[A-Z][A-Z0-9_]*$/.test(error.code) ? error.code : undefined
}
