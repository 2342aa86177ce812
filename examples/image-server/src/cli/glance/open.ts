import { MullionError } from 'mullion'
import type { ReadOnlyDatabase } from './database.ts'
import { openMysql } from './mysql.ts'
import { openPostgres } from './postgres.ts'
import { openSqlite } from './sqlite.ts'
import type { DatabaseAddress } from './url.ts'

/** Rejects `unavailable` with words for the operator, without the password. */
export async function openDatabase(address: DatabaseAddress): Promise<ReadOnlyDatabase> {
  try {
    if (address.dialect === 'sqlite') return openSqlite(address.file)
    return await (address.dialect === 'mysql' ? openMysql(address) : openPostgres(address))
  } catch (cause) {
    const place = address.dialect === 'sqlite' ? address.file : `${address.host}/${address.database}`
    const { code, message } = cause as { readonly code?: string; readonly message?: string }
    const said = message === undefined || message === '' ? (code ?? 'no reason given') : message
    throw new MullionError('unavailable', `database ${place}: ${said}`, { details: {}, retryable: false })
  }
}
