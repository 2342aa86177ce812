import { constants } from 'node:fs'
import type { FileEntryWithStats, Stats } from 'ssh2'
import { failure, isStatus, STATUS } from './errors.ts'
import type { Session } from './session.ts'

/** What SFTP version 3 tells of a file; times are whole seconds. */
export interface FileFacts {
  readonly isFile: boolean
  readonly size: number
  readonly mtimeMs: number
}

export interface Entry extends FileFacts {
  readonly name: string
}

/** An open file on the server. */
export type Handle = Buffer

/** Requests of draft-ietf-secsh-filexfer-02 and of OpenSSH's PROTOCOL, as promises. All reject as `Session.ask` does. */
export function lstat(session: Session, path: string): Promise<FileFacts> {
  return session.ask<Stats>(`lstat ${path}`, (sftp, done) => sftp.lstat(path, done)).then(factsOf)
}

export function fstat(session: Session, handle: Handle, path: string): Promise<FileFacts> {
  return session.ask<Stats>(`fstat ${path}`, (sftp, done) => sftp.fstat(handle, done)).then(factsOf)
}

export function openToRead(session: Session, path: string): Promise<Handle> {
  return session.ask(`open ${path}`, (sftp, done) => sftp.open(path, 'r', done))
}

/** Creates the file; rejects with status 4 when it exists. */
export function create(session: Session, path: string, mode: number | undefined): Promise<Handle> {
  return session.ask(`create ${path}`, (sftp, done) => {
    if (mode === undefined) sftp.open(path, 'wx', done)
    else sftp.open(path, 'wx', mode, done)
  })
}

export function chmod(session: Session, handle: Handle, path: string, mode: number): Promise<void> {
  return session.ask(`chmod ${path}`, (sftp, done) => sftp.fchmod(handle, mode, (error) => done(error)))
}

export function close(session: Session, handle: Handle, path: string): Promise<void> {
  return session.ask(`close ${path}`, (sftp, done) => sftp.close(handle, (error) => done(error)))
}

export function unlink(session: Session, path: string): Promise<void> {
  return session.ask(`remove ${path}`, (sftp, done) => sftp.unlink(path, (error) => done(error)))
}

export function rename(session: Session, from: string, to: string): Promise<void> {
  return session.ask(`rename ${from}`, (sftp, done) => sftp.rename(from, to, (error) => done(error)))
}

export function hardlink(session: Session, from: string, to: string): Promise<void> {
  return session.ask(`link ${from}`, (sftp, done) => sftp.ext_openssh_hardlink(from, to, (error) => done(error)))
}

export function setMtime(session: Session, path: string, seconds: number): Promise<void> {
  return session.ask(`utimes ${path}`, (sftp, done) => sftp.utimes(path, seconds, seconds, (error) => done(error)))
}

export function fsync(session: Session, handle: Handle, path: string): Promise<void> {
  return session.ask(`fsync ${path}`, (sftp, done) => sftp.ext_openssh_fsync(handle, (error) => done(error)))
}

/** Fills `buffer` from `position` on and answers how many bytes there were; 0 at the end of the file. */
export function read(
  session: Session,
  handle: Handle,
  path: string,
  buffer: Buffer,
  position: number,
): Promise<number> {
  return session.ask(`read ${path}`, (sftp, done) =>
    sftp.read(handle, buffer, 0, buffer.length, position, (error, count) => done(error, count)),
  )
}

/** `data` may be used again at once: ssh2 copies it into its packet. At most `requestBytes`, or it would not. */
export function write(session: Session, handle: Handle, path: string, data: Buffer, position: number): Promise<void> {
  return session.ask(`write ${path}`, (sftp, done) =>
    sftp.write(handle, data, 0, data.length, position, (error) => done(error)),
  )
}

export interface CopyRange {
  readonly from: Handle
  readonly to: Handle
  readonly position: number
  readonly length: number
}

export function copyData(session: Session, path: string, { from, to, position, length }: CopyRange): Promise<void> {
  return session.ask(`copy to ${path}`, (sftp, done) =>
    sftp.ext_copy_data(from, position, length, to, position, (error) => done(error)),
  )
}

interface Statvfs {
  readonly f_bsize: number
  readonly f_frsize: number
  readonly f_bavail: number
  readonly f_favail: number
  readonly f_files: number
}

/** Bytes that may still be written below `path`; undefined where the server cannot tell. */
export async function freeBytes(session: Session, path: string): Promise<number | undefined> {
  if (!session.offers.statvfs) return undefined
  const found = await session.ask<Statvfs>(`statvfs ${path}`, (sftp, done) => sftp.ext_openssh_statvfs(path, done))
  const isOutOfInodes = found.f_files > 0 && found.f_favail === 0
  return isOutOfInodes ? 0 : found.f_bavail * (found.f_frsize || found.f_bsize)
}

/** The entries of a directory, as the server hands them out. */
export async function* list(session: Session, path: string): AsyncGenerator<Entry> {
  const handle = await session.ask<Handle>(`open ${path}`, (sftp, done) => sftp.opendir(path, done))
  try {
    for (;;) {
      const entries = await nextEntries(session, handle, path)
      if (entries === undefined) return
      for (const { filename, attrs } of entries) yield { name: filename, ...factsOf(attrs) }
    }
  } finally {
    close(session, handle, path).catch(() => {})
  }
}

async function nextEntries(session: Session, handle: Handle, path: string): Promise<FileEntryWithStats[] | undefined> {
  try {
    return await session.ask(`list ${path}`, (sftp, done) => sftp.readdir(handle, done))
  } catch (error) {
    if (isStatus(error, STATUS.endOfFile)) return undefined
    throw error
  }
}

/** Attributes are optional in the protocol; without type and size nothing here can be promised. */
function factsOf({ mode, size, mtime }: Stats): FileFacts {
  if (typeof mode !== 'number' || typeof size !== 'number') {
    throw failure('unsupported', 'the server tells neither type nor size of files', { operation: 'stat' })
  }
  return { isFile: (mode & constants.S_IFMT) === constants.S_IFREG, size, mtimeMs: (mtime ?? 0) * 1000 }
}
