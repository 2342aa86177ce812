import { type ErrorCode, type ErrorDetails, MullionError } from 'mullion'

/**
 * An error of this adapter. The cause is left out on purpose: errors of HTTP clients carry the request with its
 * credentials, and what a registry writes about its insides is none of its clients' business.
 */
export function failure<C extends ErrorCode>(
  code: C,
  what: string,
  details: ErrorDetails[C],
  retryable?: boolean,
): MullionError<C> {
  return new MullionError(code, `registry: ${what}`, { details, ...(retryable !== undefined && { retryable }) })
}

export function invalidConfig(...issues: readonly string[]): MullionError<'invalid_config'> {
  return failure('invalid_config', issues.join('; '), { plugin: 'registry', issues })
}

export function notFound(what: string, id: string): MullionError<'not_found'> {
  return failure('not_found', `${what}: no such record`, { location: id })
}

/** The registry breaks the protocol; asking again would not help. */
export function brokenAnswer(what: string): MullionError<'unavailable'> {
  return failure('unavailable', what, {}, false)
}

/** Codes of OpenSSL and Node for a peer whose certificate does not prove who it is, or who does not accept ours. */
const UNTRUSTED = /CERT|^UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|CRL|^ERR_TLS_|^ERR_SSL_|^EPROTO$/

/** What the HTTP client or its socket threw, in our words. */
export function transportError(error: unknown): MullionError {
  const timer = timerOf(error)
  if (timer) return failure('timeout', `no ${timer.phase} within ${timer.limitMs} ms`, { limitMs: timer.limitMs })
  const code = codeOf(error) ?? 'unknown reason'
  if (UNTRUSTED.test(code)) return brokenAnswer(`the TLS connection was refused: ${code}`)
  if (code.startsWith('HPE_')) return brokenAnswer(`the answer is no HTTP: ${code}`)
  return failure('unavailable', `the connection failed: ${code}`, {})
}

/** got: source/core/timed-out.ts names the phase in `event` and the limit in the message. */
function timerOf(error: unknown): { readonly phase: string; readonly limitMs: number } | undefined {
  if (!(error instanceof Error) || !('event' in error) || typeof error.event !== 'string') return undefined
  return { phase: error.event, limitMs: Number(/(\d+)ms/.exec(error.message)?.[1] ?? 0) }
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return /^[A-Z][A-Z0-9_]*$/.test(error.code) ? error.code : undefined
}
