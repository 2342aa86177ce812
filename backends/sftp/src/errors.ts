import { type ErrorCode, type ErrorDetails, MullionError } from 'mullion'

/** draft-ietf-secsh-filexfer-02 §7. */
export const STATUS = {
  endOfFile: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  unsupported: 8,
} as const

/** The server answered a request with a status that is no success. */
export class StatusError extends Error {
  override readonly name = 'StatusError'
  /** Of draft-ietf-secsh-filexfer-02 §7. */
  readonly status: number
  /** What the server wrote beside it. */
  readonly said: string

  constructor(what: string, status: number, said: string) {
    const text = printable(said)
    super(`${what}: ${text === '' ? 'no reason given' : text} (status ${status})`)
    this.status = status
    this.said = text
  }
}

/** What a server wrote, fit for a log. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 200)
}

/** OpenSSH answers EPERM and EACCES with 3, ENOENT and ENOTDIR with 2, EINVAL with 5 (sftp-server.c, errno_to_portable). */
const BY_STATUS: Readonly<Record<number, ErrorCode>> = {
  [STATUS.endOfFile]: 'unavailable',
  [STATUS.noSuchFile]: 'not_found',
  [STATUS.permissionDenied]: 'permission_denied',
  [STATUS.failure]: 'unavailable',
  [STATUS.badMessage]: 'invalid_location',
  [STATUS.unsupported]: 'unsupported',
}

/** ssh2 README, "Client events": the level of an error. */
const BY_LEVEL: Readonly<Record<string, ErrorCode>> = {
  'client-authentication': 'unauthenticated',
  'client-timeout': 'timeout',
  'client-socket': 'unavailable',
  'client-dns': 'unavailable',
  agent: 'unauthenticated',
  handshake: 'unavailable',
  protocol: 'unavailable',
  'sftp-protocol': 'unavailable',
}

/** Servers other than OpenSSH say more than "Failure". */
const FULL = /no space|disk full|quota/i

export function classify(error: unknown): ErrorCode | undefined {
  if (error instanceof StatusError)
    return FULL.test(error.said) ? 'storage_full' : (BY_STATUS[error.status] ?? 'unavailable')
  const level = error instanceof Error && 'level' in error ? error.level : undefined
  return typeof level === 'string' ? BY_LEVEL[level] : undefined
}

export function isStatus(error: unknown, ...statuses: readonly number[]): error is StatusError {
  return error instanceof StatusError && statuses.includes(error.status)
}

/** Undefined where nothing exists; every other failure rejects. */
export async function ifExists<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (isStatus(error, STATUS.noSuchFile)) return undefined
    throw error
  }
}

export function failure<C extends ErrorCode>(
  code: C,
  what: string,
  details: ErrorDetails[C],
  retryable?: boolean,
): MullionError<C> {
  return new MullionError(code, `sftp store: ${what}`, { details, ...(retryable !== undefined && { retryable }) })
}

export function alreadyExists(key: string): MullionError<'already_exists'> {
  return failure('already_exists', `${key} exists`, { key })
}

/** Says nothing about what is there: the location may come from a user. */
export function refused(reason: string): MullionError<'invalid_location'> {
  return failure('invalid_location', reason, { reason })
}

export function badConfig(issue: string): MullionError<'invalid_config'> {
  return failure('invalid_config', issue, { plugin: 'sftp', issues: [issue] })
}

/** RFC 4253 §11.1: reasons to disconnect. */
const NO_MORE_AUTH_METHODS = 14

/** Why there is no connection (any more). `where` is user, host and port. */
export function connectionError(error: unknown, where: string): MullionError {
  if (error instanceof MullionError) return error
  const { message, code, level } = error as { message?: unknown; code?: unknown; level?: unknown }
  const said = `${where}: ${printable(String(message ?? error).replace(/^getConnection: /, ''))}`
  if (level === 'client-authentication') return failure('unauthenticated', `${where}: the server refuses the login`, {})
  if (level === 'agent') return failure('unauthenticated', `${said} (ssh-agent)`, {})
  if (level === 'handshake' || level === 'sftp-protocol') return failure('unavailable', said, {}, false)
  if (code === NO_MORE_AUTH_METHODS || /authentication failures/i.test(said))
    return failure('unauthenticated', said, {})
  return failure('unavailable', said, {})
}
