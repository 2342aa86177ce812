import type { ErrorCode } from 'mullion'
import { classifyConnection } from '../server/errors.ts'

/** https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html, https://mariadb.com/kb/en/mariadb-error-code-reference/ */
const CODES: Readonly<Record<number, ErrorCode>> = {
  1021: 'storage_full', // ER_DISK_FULL
  1040: 'unavailable', // ER_CON_COUNT_ERROR
  1044: 'permission_denied', // ER_DBACCESS_DENIED_ERROR
  1045: 'unauthenticated', // ER_ACCESS_DENIED_ERROR
  1049: 'invalid_config', // ER_BAD_DB_ERROR
  1053: 'unavailable', // ER_SERVER_SHUTDOWN
  1062: 'already_exists', // ER_DUP_ENTRY
  1114: 'storage_full', // ER_RECORD_FILE_FULL
  1130: 'unauthenticated', // ER_HOST_NOT_PRIVILEGED
  1142: 'permission_denied', // ER_TABLEACCESS_DENIED_ERROR
  1143: 'permission_denied', // ER_COLUMNACCESS_DENIED_ERROR
  1203: 'unavailable', // ER_TOO_MANY_USER_CONNECTIONS
  1205: 'unavailable', // ER_LOCK_WAIT_TIMEOUT
  1213: 'unavailable', // ER_LOCK_DEADLOCK
  1226: 'unavailable', // ER_USER_LIMIT_REACHED
  1227: 'permission_denied', // ER_SPECIFIC_ACCESS_DENIED_ERROR
  1290: 'permission_denied', // ER_OPTION_PREVENTS_STATEMENT: --read-only
  1317: 'unavailable', // ER_QUERY_INTERRUPTED
  1370: 'permission_denied', // ER_PROCACCESS_DENIED_ERROR
  1698: 'unauthenticated', // ER_ACCESS_DENIED_NO_PASSWORD_ERROR
  1792: 'permission_denied', // ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION
  1836: 'permission_denied', // ER_READ_ONLY_MODE
  1927: 'unavailable', // ER_CONNECTION_KILLED (MariaDB)
  1969: 'unavailable', // ER_STATEMENT_TIMEOUT (MariaDB)
  3024: 'unavailable', // ER_QUERY_TIMEOUT (MySQL)
  3118: 'unauthenticated', // ER_ACCOUNT_HAS_BEEN_LOCKED
  4031: 'unavailable', // ER_CLIENT_INTERACTION_TIMEOUT
}

export function classify(error: unknown): ErrorCode | undefined {
  if (!(error instanceof Error)) return undefined
  const errno = serverErrno(error)
  return errno === undefined ? classifyConnection(error) : CODES[errno]
}

/** ER_LOCK_DEADLOCK rolls everything back, in answer to COMMIT too (Galera). */
export function isUndone(error: unknown): boolean {
  return serverErrno(error) === 1213
}

/** Whether the server ends the connection after this error. */
export function isFatal(error: unknown): boolean {
  return [1053, 1927, 4031].includes(serverErrno(error) ?? 0) || (error as { readonly fatal?: unknown }).fatal === true
}

/** Errors of the system have an `errno`, too, but no SQL state. */
export function serverErrno(error: unknown): number | undefined {
  const { errno, sqlState } = error as { readonly errno?: unknown; readonly sqlState?: unknown }
  return typeof errno === 'number' && errno > 0 && sqlState !== undefined ? errno : undefined
}
