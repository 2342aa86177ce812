import { type ErrorCode, MullionError } from 'mullion'

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'not_found',
  ENOTDIR: 'not_found',
  EEXIST: 'already_exists',
  ENOSPC: 'storage_full',
  EDQUOT: 'storage_full',
  EFBIG: 'storage_full',
  EACCES: 'permission_denied',
  EPERM: 'permission_denied',
  EROFS: 'permission_denied',
  EBUSY: 'in_use',
  ETXTBSY: 'in_use',
  ELOOP: 'invalid_location', // open with O_NOFOLLOW met a symbolic link
  EISDIR: 'invalid_location',
  ENXIO: 'invalid_location', // a socket, or a device nobody serves
  ENAMETOOLONG: 'invalid_location',
  EIO: 'unavailable',
  EREMOTEIO: 'unavailable',
  ESTALE: 'unavailable',
  ETIMEDOUT: 'unavailable',
  ENODEV: 'unavailable',
  ENOTCONN: 'unavailable', // the process behind a FUSE mount is gone
  EHOSTDOWN: 'unavailable',
  EHOSTUNREACH: 'unavailable',
  EAGAIN: 'unavailable',
  EMFILE: 'unavailable',
  ENFILE: 'unavailable',
  ENOMEM: 'unavailable',
}

export function classify(error: unknown): ErrorCode | undefined {
  const code = errnoOf(error)
  return code !== undefined && Object.hasOwn(CODES, code) ? CODES[code] : undefined
}

/** `ENOENT` and the like. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Undefined where nothing exists; every other failure rejects. */
export async function ifExists<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

export function alreadyExists(key: string): MullionError<'already_exists'> {
  return new MullionError('already_exists', `file store: ${key} exists`, { details: { key } })
}

/** Says nothing about what is there: the location may come from a user. */
export function refused(reason: string): MullionError<'invalid_location'> {
  return new MullionError('invalid_location', `file store: ${reason}`, { details: { reason } })
}
