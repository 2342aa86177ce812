import { join } from 'node:path'
import type { SqlConfig, TlsConfig } from '@mullion/sql'
import type { Config } from '../config/config.ts'
import { refusal } from '../config/document.ts'
import { type DatabaseConfig, dialectOf } from '../config/sections/database.ts'
import { inMs } from './settings.ts'

/** The database that keeps the records: the one configured, or a file below the data directory. Throws `invalid_config`. */
export function sqlConfig({ dataDir, database, registry: { encryptionKeys, refusePlain } }: Config): SqlConfig {
  const common = {
    encryptionKeys: encryptionKeys.map((entry) => {
      const at = entry.indexOf('=')
      return { id: entry.slice(0, at), key: entry.slice(at + 1) }
    }),
    refusePlain,
    busyTimeoutMs: inMs(database.busyTimeout),
    leaseMs: inMs(database.lease),
  }
  const { url } = database
  if (url === undefined) return { ...common, file: join(dataDir, 'registry.sqlite') }
  const dialect = dialectOf(url)
  if (dialect === undefined) throw refusal(undefined, 'database.url: expected postgres://… or mysql://…')
  return {
    ...common,
    dialect,
    url,
    poolSize: database.poolSize,
    tls: tlsOf(database),
    connectTimeoutMs: inMs(database.connectTimeout),
    statementTimeoutMs: inMs(database.statementTimeout),
  }
}

function tlsOf({ tls, tlsCa, tlsCert, tlsKey, tlsServerName }: DatabaseConfig): boolean | TlsConfig {
  if (!tls) return false
  return {
    ...(tlsCa !== undefined && { ca: tlsCa }),
    ...(tlsCert !== undefined && { cert: tlsCert }),
    ...(tlsKey !== undefined && { key: tlsKey }),
    ...(tlsServerName !== undefined && { serverName: tlsServerName }),
  }
}
