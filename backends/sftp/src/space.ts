import { failure, isStatus, STATUS } from './errors.ts'
import { freeBytes } from './files.ts'
import type { Session } from './session.ts'

/** Less is as good as nothing: blocks of the file system, its own records, requests on their way. */
const SCARCE = 4 * 1024 * 1024

/** Rejects `storage_full` when there is certainly no room. */
export async function assertRoom(session: Session, directory: string, size: number | undefined): Promise<void> {
  const free = await freeBytes(session, directory).catch(() => undefined) // a missing directory is told when it is used
  if (free === undefined || free >= (size ?? 1)) return
  throw failure('storage_full', `${directory} has ${free} bytes free, ${size ?? 1} are needed`, {})
}

/**
 * SFTP version 3 has no status for a full disk: OpenSSH answers all but a few errors with "Failure". What is free tells
 * them apart.
 */
export async function explained(session: Session, directory: string, error: unknown): Promise<unknown> {
  if (!isStatus(error, STATUS.failure) || session.dropped) return error
  const free = await freeBytes(session, directory).catch(() => undefined)
  if (free === undefined || free >= SCARCE) return error
  return failure('storage_full', `${directory} has ${free} bytes free: ${error.message}`, {})
}
