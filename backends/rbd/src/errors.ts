import { constants } from 'node:os'
import { type ErrorCode, MullionError } from 'mullion'

/** A call of librbd or librados that answered a negative errno. */
export class RbdError extends Error {
  override readonly name = 'RbdError'
  /** `ENOENT` and the like. */
  readonly code: string
  /** The function. */
  readonly call: string

  constructor(call: string, errno: number) {
    const code = nameOf(-errno)
    super(`${call} failed with ${code}`)
    this.call = call
    this.code = code
  }
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'not_found',
  EEXIST: 'already_exists',
  EBUSY: 'in_use',
  ENOTEMPTY: 'in_use', // an image with snapshots
  ENOSPC: 'storage_full',
  EDQUOT: 'storage_full',
  EFBIG: 'too_large',
  EPERM: 'permission_denied',
  EACCES: 'permission_denied',
  EROFS: 'permission_denied',
  ESHUTDOWN: 'unavailable', // the cluster has blocklisted this client
  ETIMEDOUT: 'timeout',
  EAGAIN: 'unavailable',
  EIO: 'unavailable',
  ENOTCONN: 'unavailable',
  ECONNREFUSED: 'unavailable',
  ECONNRESET: 'unavailable',
  EHOSTUNREACH: 'unavailable',
  ENOMEM: 'unavailable',
  ESTALE: 'unavailable',
}

export function classify(error: unknown): ErrorCode | undefined {
  return error instanceof RbdError && Object.hasOwn(CODES, error.code) ? CODES[error.code] : undefined
}

/** Whether the error is one of librbd's with one of these names. */
export function failedWith(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof RbdError && codes.includes(error.code)
}

export function alreadyExists(key: string): MullionError<'already_exists'> {
  return new MullionError('already_exists', `rbd store: ${key} exists`, { details: { key } })
}

export function invalidConfig(message: string, cause?: unknown): MullionError<'invalid_config'> {
  return new MullionError('invalid_config', `rbd store: ${message}`, {
    details: { plugin: 'rbd', issues: [message] },
    cause,
  })
}

/** Linux, errno.h: Node has no name for it. */
const ESHUTDOWN = 108

function nameOf(errno: number): string {
  if (errno === ESHUTDOWN) return 'ESHUTDOWN'
  return Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`
}
