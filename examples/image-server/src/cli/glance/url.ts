import { MullionError } from 'mullion'
import { type Tls, tlsOf } from './tls.ts'

/** Where the database of a Glance is. */
export type DatabaseAddress =
  | { readonly dialect: 'sqlite'; readonly file: string }
  | (ServerAddress & { readonly dialect: 'mysql' | 'postgres' })

export interface ServerAddress {
  readonly host: string
  readonly port: number | undefined
  readonly user: string
  readonly password: string
  readonly database: string
  /** Undefined for a connection in clear. */
  readonly tls: Tls | undefined
}

const DIALECTS: Readonly<Record<string, 'sqlite' | 'mysql' | 'postgres'>> = {
  sqlite: 'sqlite',
  mysql: 'mysql',
  mariadb: 'mysql',
  postgres: 'postgres',
  postgresql: 'postgres',
}

/**
 * The `connection` of glance-api.conf: `dialect[+driver]://user:password@host[:port]/database[?…]`, where `sqlite:////path`
 * is an absolute path (https://docs.sqlalchemy.org/en/20/core/engines.html#database-urls). Throws `invalid_argument`, whose
 * message holds nothing of the URL but names of parameters.
 */
export function parseDatabaseUrl(text: string): DatabaseAddress {
  const [, name = '', rest = ''] = /^([a-z]+)(?:\+[a-z0-9_]+)?:\/\/(.*)$/s.exec(text.trim()) ?? []
  const dialect = DIALECTS[name]
  if (dialect === undefined) throw refused('expected mysql+pymysql://…, postgresql://… or sqlite:////path')
  if (dialect === 'sqlite') return { dialect, file: sqliteFile(rest) }
  const [, user, password = '', host, port, database, query = ''] = SERVER.exec(rest) ?? []
  if (user === undefined || host === undefined || database === undefined) {
    throw refused('expected …://user:password@host[:port]/database')
  }
  const tls = tlsOf(dialect, query)
  const names = { user: decoded(user), password: decoded(password), database: decoded(database) }
  return { dialect, ...names, host: host.replace(/^\[|\]$/g, ''), port: port ? Number(port) : undefined, tls }
}

/** The password may hold an @ that nobody encoded: the host is what follows the last one. */
const SERVER = /^([^:@/]+)(?::(.*))?@(\[[0-9A-Fa-f:.]+\]|[^:@/?]+)(?::(\d{1,5}))?\/([^/?]+)(?:\?(.*))?$/s

function sqliteFile(rest: string): string {
  const [path = ''] = rest.split('?', 1)
  if (path.length < 2 || !path.startsWith('/')) throw refused('expected sqlite:////absolute/path or sqlite:///path')
  return path.slice(1)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function refused(what: string): MullionError<'invalid_argument'> {
  return new MullionError('invalid_argument', `database URL: ${what}`, { details: { name: 'database-url' } })
}
