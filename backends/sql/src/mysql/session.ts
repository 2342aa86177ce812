import { connect, type Socket } from 'node:net'
import type { QueryResult } from 'kysely'
import type * as mysqlModule from 'mysql2'
import type { Connection, ConnectionOptions, QueryError } from 'mysql2'
import type { ParsedServer, TlsConfig } from '../config.ts'
import { invalidConfig } from '../config.ts'
import { closed } from '../server/close.ts'
import { ConnectionLost } from '../server/errors.ts'
import { type Session, withinTime } from '../server/session.ts'
import { isFatal, serverErrno } from './errors.ts'

type Mysql = Pick<typeof mysqlModule, 'createConnection'>

/** More than the server's own limit, so that its answer comes first where there is one. */
const GRACE_MS = 5000
const KEEP_ALIVE_MS = 10_000
const WAIT_TIMEOUT_SECONDS = 180

/** Connects and sets what the queries of this package rely on. Rejects `ConnectionLost` or an error of the server. */
export async function connectMysql(mysql: Mysql, config: ParsedServer): Promise<Session> {
  const { host, port, connectTimeoutMs } = config
  const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS })
  const connection = mysql.createConnection(options(config, socket))
  const session = createSession(connection, socket, config)
  try {
    await withinTime(connected(connection), connectTimeoutMs, `connecting to ${host}:${port}`, () => socket.destroy())
    const { rows } = await session.query('select version() as version', [])
    const { version } = rows[0] as { readonly version: string }
    for (const statement of settings(config, version)) await session.query(statement, [])
    return session
  } catch (error) {
    session.destroy()
    throw error
  }
}

function options({ host, user, password, database, tls }: ParsedServer, socket: Socket): ConnectionOptions {
  return {
    host: tls?.serverName ?? host, // for the certificate; the connection is made already
    user,
    password,
    database,
    stream: socket,
    connectTimeout: 0,
    charset: 'utf8mb4',
    stringifyObjects: true,
    timezone: 'Z',
    ...(tls && { ssl: tlsOptions(tls) }),
  }
}

function connected(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.connect((error: QueryError | null) => (error ? reject(error) : resolve()))
  })
}

function createSession(connection: Connection, socket: Socket, { statementTimeoutMs }: ParsedServer): Session {
  let usable = true
  const lose = (): void => {
    usable = false
  }
  connection.on('error', lose) // without a listener it would end the process
  connection.on('end', lose)
  socket.on('close', lose)

  function run(text: string, parameters: readonly unknown[]): Promise<QueryResult<unknown>> {
    return new Promise((resolve, reject) => {
      connection.query(text, [...parameters], (error: QueryError | null, result: unknown) => {
        if (error) reject(withoutSql(error))
        else if (Array.isArray(result)) resolve({ rows: result })
        else resolve({ rows: [], numAffectedRows: BigInt((result as { readonly affectedRows: number }).affectedRows) })
      })
    })
  }

  const cut = (): void => {
    lose()
    connection.destroy()
    socket.destroy()
  }
  const limitMs = statementTimeoutMs === 0 ? 0 : statementTimeoutMs + GRACE_MS
  return {
    async query(text, parameters) {
      if (!usable) throw new ConnectionLost('the connection was lost')
      try {
        return await withinTime(run(text, parameters), limitMs, 'statement', cut)
      } catch (error) {
        if (isFatal(error)) lose()
        if (serverErrno(error) !== undefined || usable) throw error
        throw new ConnectionLost((error as Error).message, { cause: error })
      }
    },
    isUsable: () => usable,
    end: () => closed(socket, () => connection.end()),
    destroy: cut,
  }
}

/** mysql2 puts the statement into the error, with all of its values. */
function withoutSql(error: QueryError): QueryError {
  delete (error as { sql?: unknown }).sql
  return error
}

/** One statement for each: several in one are not allowed, so that no value can add one. */
function settings({ statementTimeoutMs, busyTimeoutMs }: ParsedServer, version: string): readonly string[] {
  const lockSeconds = Math.max(1, Math.ceil(busyTimeoutMs / 1000))
  const isMariaDb = version.includes('MariaDB')
  checkVersion(version, isMariaDb)
  const limit = isMariaDb
    ? `max_statement_time = ${statementTimeoutMs / 1000}`
    : `max_execution_time = ${statementTimeoutMs}`
  return [
    `set session sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', ` +
      `innodb_lock_wait_timeout = ${lockSeconds}, wait_timeout = ${WAIT_TIMEOUT_SECONDS}, ${limit}`,
    'set session transaction isolation level repeatable read',
  ]
}

/** The first with SKIP LOCKED, and with collations that tell `a` from `a `. */
function checkVersion(version: string, isMariaDb: boolean): void {
  const [, major = 0, minor = 0, patch = 0] = (/^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? []).map(Number)
  const [least, wanted] = isMariaDb ? [10_006_000, 'MariaDB 10.6'] : [8_000_017, 'MySQL 8.0.17']
  if (major * 1_000_000 + minor * 1000 + patch >= least) return
  throw invalidConfig([`the server is version ${version}, this library needs ${wanted} or later`])
}

function tlsOptions({ ca, cert, key }: TlsConfig): NonNullable<Exclude<ConnectionOptions['ssl'], string>> {
  return {
    rejectUnauthorized: true,
    verifyIdentity: true,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
}
