import { Socket } from 'node:net'
import { checkServerIdentity, type ConnectionOptions } from 'node:tls'
import type { QueryResult } from 'kysely'
import type * as pgModule from 'pg'
import type { Client as PgClient, CustomTypesConfig, DatabaseError } from 'pg'
import type { ParsedServer, TlsConfig } from '../config.ts'
import { closed } from '../server/close.ts'
import { ConnectionLost } from '../server/errors.ts'
import { type Session, withinTime } from '../server/session.ts'
import { isFatal } from './errors.ts'

type Pg = typeof pgModule

/** More than the server's own limit, so that its answer comes first where there is one. */
const GRACE_MS = 5000
const KEEP_ALIVE_MS = 10_000
const IDLE_IN_TRANSACTION_MS = 60_000

/** Connects and sets what the queries of this package rely on. Rejects `ConnectionLost` or an error of the server. */
export async function connectPostgres(pg: Pg, config: ParsedServer): Promise<Session> {
  const { host, port, user, password, database, connectTimeoutMs, tls } = config
  const socket = new Socket()
  const client = new pg.Client({
    host,
    port,
    user,
    password,
    database,
    ssl: tls ? tlsOptions(tls) : false,
    stream: () => socket,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    application_name: 'mullion',
    types: numbers(pg),
  })
  const session = createSession(client, socket, config)
  try {
    await withinTime(client.connect(), connectTimeoutMs, `connecting to ${host}:${port}`, () => socket.destroy())
    await session.query(settings(config), [])
    return session
  } catch (error) {
    session.destroy()
    throw error
  }
}

function createSession(client: PgClient, socket: Socket, { statementTimeoutMs }: ParsedServer): Session {
  let usable = true
  const lose = (): void => {
    usable = false
  }
  client.on('error', lose) // without a listener it would end the process
  client.on('end', lose)
  socket.on('error', lose)

  async function run(text: string, parameters: readonly unknown[]): Promise<QueryResult<unknown>> {
    // Without values `query` allows several statements: that is for the settings alone.
    const result = await (parameters.length === 0 ? client.query(text) : client.query(text, [...parameters]))
    const { command, rowCount, rows } = result
    if (text === 'commit' && command === 'ROLLBACK') throw new Error('the transaction had failed before its COMMIT')
    return { rows: rows ?? [], ...(CHANGES.has(command) && { numAffectedRows: BigInt(rowCount ?? 0) }) }
  }

  const cut = (): void => {
    lose()
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
        if (isDatabaseError(error)) throw withoutValues(error)
        // An error that the server did not send is one of the connection.
        throw usable ? error : new ConnectionLost((error as Error).message, { cause: error })
      }
    },
    isUsable: () => usable,
    end: () => closed(socket, () => void client.end().catch(() => undefined)),
    destroy: cut,
  }
}

const CHANGES: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE'])

function isDatabaseError(error: unknown): error is DatabaseError {
  return typeof (error as { readonly severity?: unknown }).severity === 'string'
}

/** The detail of a violated constraint is the whole row, the context of an error its statement. */
function withoutValues(error: DatabaseError): DatabaseError {
  for (const field of ['detail', 'where', 'internalQuery'] as const) error[field] = undefined
  return error
}

function settings({ statementTimeoutMs, busyTimeoutMs }: ParsedServer): string {
  return [
    `set statement_timeout = ${statementTimeoutMs}`,
    `set lock_timeout = ${Math.max(1, busyTimeoutMs)}`,
    `set idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS}`,
    'set jit = off', // compiling the union of a list takes longer than running it
    "set timezone = 'UTC'",
  ].join('; ')
}

function tlsOptions({ ca, cert, key, serverName }: TlsConfig): ConnectionOptions {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { checkServerIdentity: (_host, peer) => checkServerIdentity(serverName, peer) }),
  }
}

/** Of 64-bit integers and of the sums of them, which pg gives as text; those here are safe integers. */
const NUMBERS: ReadonlySet<number> = new Set([20, 1700]) // int8, numeric: src/include/catalog/pg_type.dat

function numbers({ types }: Pg): CustomTypesConfig {
  const getTypeParser = (...[oid, format]: Parameters<typeof types.getTypeParser>): unknown =>
    NUMBERS.has(oid) ? Number : types.getTypeParser(oid, format)
  return { getTypeParser: getTypeParser as CustomTypesConfig['getTypeParser'] }
}
