import type { ErrorCode } from 'mullion'
import { classifyConnection } from '../server/errors.ts'

/** SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html. */
const CODES: Readonly<Record<string, ErrorCode>> = {
  '23505': 'already_exists', // unique_violation
  '25006': 'permission_denied', // read_only_sql_transaction
  '25P03': 'unavailable', // idle_in_transaction_session_timeout
  '28000': 'unauthenticated', // invalid_authorization_specification
  '28P01': 'unauthenticated', // invalid_password
  '3D000': 'invalid_config', // invalid_catalog_name
  '40001': 'unavailable', // serialization_failure
  '40P01': 'unavailable', // deadlock_detected
  '42501': 'permission_denied', // insufficient_privilege
  '53100': 'storage_full', // disk_full
  '53200': 'unavailable', // out_of_memory
  '53300': 'unavailable', // too_many_connections
  '55P03': 'unavailable', // lock_not_available
  '57014': 'unavailable', // query_canceled: the statement timeout
  '57P01': 'unavailable', // admin_shutdown
  '57P02': 'unavailable', // crash_shutdown
  '57P03': 'unavailable', // cannot_connect_now
  '57P05': 'unavailable', // idle_session_timeout
}

export function classify(error: unknown): ErrorCode | undefined {
  if (!(error instanceof Error)) return undefined
  const code = sqlState(error)
  if (code === undefined) return NO_TLS.test(error.message) ? 'invalid_config' : classifyConnection(error)
  return CODES[code] ?? (code.startsWith('08') ? 'unavailable' : undefined) // class 08: connection exception
}

/** Whether the server ends the connection after this error. */
export function isFatal(error: unknown): boolean {
  const { severity } = error as { readonly severity?: unknown }
  return severity === 'FATAL' || severity === 'PANIC'
}

/** Class 40 is transaction rollback, class 23 the violation of a constraint: in answer to COMMIT both undo everything. */
export function isUndone(error: unknown): boolean {
  return /^(?:40|23)/.test(sqlState(error) ?? '') && !isFatal(error)
}

// pg tells it by text alone (packages/pg/lib/connection.js)
const NO_TLS = /SSL connection/

function sqlState(error: unknown): string | undefined {
  const { code, severity } = error as { readonly code?: unknown; readonly severity?: unknown }
  return typeof code === 'string' && typeof severity === 'string' ? code : undefined
}
