import type { ErrorCode } from 'mullion'

/** The connection is gone, or could not be made; what ran on it and was not committed is undone. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** The connection was lost before the answer to COMMIT: the change was made, or was not. */
export class CommitUncertain extends Error {
  override readonly name = 'CommitUncertain'
}

/** Of errors that say so before the server is asked: Node's, https://nodejs.org/api/errors.html, and those of TLS. */
export function classifyConnection(error: unknown): ErrorCode | undefined {
  if (error instanceof ConnectionLost) return 'unavailable'
  const { code } = error as { readonly code?: unknown }
  if (typeof code !== 'string') return undefined
  if (TLS.test(code)) return 'invalid_config'
  return NETWORK.has(code) ? 'unavailable' : undefined
}

// https://nodejs.org/api/tls.html#x509-certificate-error-codes
const TLS = /^ERR_TLS_|^ERR_SSL_|CERT|^UNABLE_TO_|SSL_SUPPORT$|SSL_ERROR$/

const NETWORK: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EMFILE',
  'ENETDOWN',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
])
