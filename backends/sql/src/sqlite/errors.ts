import type { ErrorCode } from 'mullion'

/** Primary result codes: https://www.sqlite.org/rescode.html. The lower eight bits of an extended code. */
const PRIMARY: Readonly<Record<number, ErrorCode>> = {
  3: 'permission_denied', // SQLITE_PERM
  5: 'unavailable', // SQLITE_BUSY
  6: 'unavailable', // SQLITE_LOCKED
  8: 'permission_denied', // SQLITE_READONLY
  13: 'storage_full', // SQLITE_FULL
  14: 'permission_denied', // SQLITE_CANTOPEN
  15: 'unavailable', // SQLITE_PROTOCOL: lost the race for a transaction in WAL mode too often
  23: 'permission_denied', // SQLITE_AUTH
  26: 'invalid_config', // SQLITE_NOTADB
}

const EXTENDED: Readonly<Record<number, ErrorCode>> = {
  1555: 'already_exists', // SQLITE_CONSTRAINT_PRIMARYKEY
  2067: 'already_exists', // SQLITE_CONSTRAINT_UNIQUE
}

const SYSTEM: Readonly<Record<string, ErrorCode>> = {
  EACCES: 'permission_denied',
  EPERM: 'permission_denied',
  EROFS: 'permission_denied',
  ENOSPC: 'storage_full',
  EDQUOT: 'storage_full',
  ENOENT: 'invalid_config',
  ENOTDIR: 'invalid_config',
  EISDIR: 'invalid_config',
  ERR_INVALID_ARG_VALUE: 'invalid_config',
  ERR_INVALID_STATE: 'closed', // node:sqlite, "database is not open"
}

export function classify(error: unknown): ErrorCode | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, errcode } = error as { readonly code?: unknown; readonly errcode?: unknown }
  if (code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number') return EXTENDED[errcode] ?? PRIMARY[errcode & 0xff]
  return typeof code === 'string' ? SYSTEM[code] : undefined
}
