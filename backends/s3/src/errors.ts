import { type ErrorCode, isMullionError, MullionError } from 'mullion'

/** What the service, or the way to it, answered instead of a result. Holds nothing of the request. */
export class S3Error extends Error {
  override readonly name = 'S3Error'
  /** The service's own word, such as `NoSuchKey`, or that of the socket, such as `ECONNRESET`. */
  readonly reason: string
  /** Undefined when there was no answer. */
  readonly status: number | undefined
  readonly code: ErrorCode

  constructor(operation: string, reason: string, status: number | undefined, said: string) {
    const code = codeOf(reason, status)
    super(`${operation}: ${[status, reason].filter(Boolean).join(' ')}${said}${REMEDIES[reason] ?? ''}`)
    this.reason = reason
    this.status = status
    this.code = code
  }
}

export function classify(error: unknown): ErrorCode | undefined {
  return error instanceof S3Error ? error.code : undefined
}

const REMEDIES: Readonly<Record<string, string>> = {
  NotImplemented: '; if the service takes no If-None-Match, set conditionalPut or conditionalComplete to false',
  RequestTimeTooSkewed: '; the clock of this machine and that of the service differ',
  NoSuchBucket: '; create the bucket, or correct its name',
  PermanentRedirect: '; check endpoint and region',
  AuthorizationHeaderMalformed: '; check the region',
  RegionMissing: '; set region, or AWS_REGION in the environment',
}

/** Amazon S3 API Reference, "Error responses"; the last lines are what other services add. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  NoSuchKey: 'not_found',
  NoSuchVersion: 'not_found',
  NotFound: 'not_found',
  AccessDenied: 'permission_denied',
  AllAccessDisabled: 'permission_denied',
  AccountProblem: 'permission_denied',
  Forbidden: 'permission_denied',
  InvalidAccessKeyId: 'unauthenticated',
  SignatureDoesNotMatch: 'unauthenticated',
  ExpiredToken: 'unauthenticated',
  InvalidToken: 'unauthenticated',
  TokenRefreshRequired: 'unauthenticated',
  NotSignedUp: 'unauthenticated',
  CredentialsProviderError: 'unauthenticated',
  TokenProviderError: 'unauthenticated',
  RequestTimeTooSkewed: 'unavailable',
  RequestTimeout: 'unavailable',
  BadDigest: 'unavailable',
  XAmzContentSHA256Mismatch: 'unavailable',
  InvalidDigest: 'unavailable',
  DigestMismatch: 'unavailable', // ours
  IncompleteBody: 'unavailable',
  InternalError: 'unavailable',
  NoSuchUpload: 'unavailable',
  InvalidPart: 'unavailable', // what was sent is lost
  OperationAborted: 'unavailable',
  ConditionalRequestConflict: 'unavailable',
  ServiceUnavailable: 'unavailable',
  SlowDown: 'rate_limited',
  Throttling: 'rate_limited',
  ThrottlingException: 'rate_limited',
  TooManyRequests: 'rate_limited',
  TooManyRequestsException: 'rate_limited',
  RequestLimitExceeded: 'rate_limited',
  PreconditionFailed: 'conflict',
  InvalidObjectState: 'unsupported', // archived, must be restored first
  NotImplemented: 'unsupported',
  MethodNotAllowed: 'unsupported',
  NoSuchBucket: 'invalid_config',
  InvalidBucketName: 'invalid_config',
  RegionMissing: 'invalid_config', // ours
  PermanentRedirect: 'invalid_config',
  AuthorizationHeaderMalformed: 'invalid_config',
  IllegalLocationConstraintException: 'invalid_config',
  EntityTooLarge: 'storage_full', // the parts keep to the limits of S3, so this is a limit or quota of the service
  QuotaExceeded: 'storage_full', // radosgw
  InsufficientStorage: 'storage_full',
  XMinioStorageFull: 'storage_full',
  XMinioAdminBucketQuotaExceeded: 'storage_full',
  TimeoutError: 'timeout',
}

const STATUSES: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthenticated',
  403: 'permission_denied',
  404: 'not_found',
  408: 'unavailable',
  409: 'unavailable',
  412: 'conflict',
  413: 'storage_full',
  429: 'rate_limited',
  501: 'unsupported',
  507: 'storage_full',
}

function codeOf(reason: string, status: number | undefined): ErrorCode {
  if (Object.hasOwn(CODES, reason)) return CODES[reason] ?? 'internal'
  if (status === undefined) return SOCKET.test(reason) ? 'unavailable' : 'internal'
  return STATUSES[status] ?? (status >= 500 || status < 300 ? 'unavailable' : 'internal')
}

/** Words of Node for what happens to a connection. An error of another kind never left this process. */
const SOCKET = /^[A-Z][A-Z0-9_]+$/

/** Codes of OpenSSL and Node for a peer whose certificate does not prove who it is. */
const UNTRUSTED = /CERT|^UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|CRL|^ERR_TLS_/

/** What the SDK threw, without what it knows of the request. */
export function failed(operation: string, error: unknown): Error {
  if (isMullionError(error) || error instanceof S3Error) return error
  if (!(error instanceof Error)) return new S3Error(operation, 'Unknown', undefined, '')
  const status = statusOf(error)
  const reason = reasonOf(error, status)
  if (status === undefined && UNTRUSTED.test(reason)) {
    const what = `s3 store: ${operation}: the certificate of the service is not trusted: ${reason}`
    return new MullionError('unavailable', what, { details: {}, retryable: false })
  }
  const failure = new S3Error(operation, reason, status, saidBy(error, status))
  if (failure.code !== 'invalid_config') return failure
  const details = { plugin: 's3', issues: [failure.message] }
  return new MullionError('invalid_config', `s3 store: ${failure.message}`, { details })
}

export function alreadyExists(key: string): MullionError<'already_exists'> {
  return new MullionError('already_exists', `s3 store: ${key} exists`, { details: { key } })
}

/** Whether the same request may succeed if it is sent again. */
export function isPassing(error: unknown): boolean {
  if (isMullionError(error)) return error.retryable
  return error instanceof S3Error && PASSING.has(error.code) && error.reason !== 'NoSuchUpload'
}

const PASSING: ReadonlySet<ErrorCode> = new Set(['unavailable', 'timeout', 'rate_limited'])

/** Whether the service may have done what it was asked although this was the answer, or there was none. */
export function isUncertain(error: unknown): boolean {
  if (!(error instanceof S3Error)) return false
  if (error.status === undefined) return error.code === 'unavailable' || error.code === 'timeout'
  return error.status >= 500 || error.status < 300 || error.status === 408
}

/** Whether the request may have reached the service, which answered nothing. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof S3Error && error.status === undefined && isUncertain(error) && !UNSENT.has(error.reason)
}

const UNSENT: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

/** Whether the service answered with this word of its own. */
export function answered(error: unknown, ...reasons: readonly string[]): boolean {
  return error instanceof S3Error && reasons.includes(error.reason)
}

function statusOf(error: Error): number | undefined {
  const metadata = '$metadata' in error ? (error.$metadata as { httpStatusCode?: unknown }) : undefined
  const response = '$response' in error ? (error.$response as { statusCode?: unknown } | undefined) : undefined
  const status = metadata?.httpStatusCode ?? response?.statusCode
  return typeof status === 'number' ? status : undefined
}

/** An answer without a body, such as that to HEAD, has no word: the SDK then names it by its status or not at all. */
function reasonOf(error: Error, status: number | undefined): string {
  if (status === 412) return 'PreconditionFailed' // Swift's word for it is InvalidRequest
  // the handler calls every broken connection a TimeoutError
  const code = status === undefined && 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (code !== undefined) return code === 'ETIMEDOUT' ? 'TimeoutError' : code
  if (status === undefined && error.message === 'Region is missing') return 'RegionMissing'
  const isWord =
    /^[A-Za-z][A-Za-z0-9]*$/.test(error.name) && !/^(Error|Unknown|UnknownError|SyntaxError)$/.test(error.name)
  return isWord ? error.name : status === undefined ? 'Unknown' : (WORDS[status] ?? '')
}

const WORDS: Readonly<Record<number, string>> = { 403: 'Forbidden', 404: 'NotFound', 412: 'PreconditionFailed' }

function saidBy(error: Error, status: number | undefined): string {
  const text = error.message.replaceAll(/\s+/g, ' ').trim().slice(0, 200)
  const isEmpty = text === '' || /^(Unknown|UnknownError)$/.test(text) || text === error.name
  return isEmpty || (status !== undefined && status < 300) ? '' : `: ${text}`
}
