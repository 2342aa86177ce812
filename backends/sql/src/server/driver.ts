import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from 'kysely'
import { CommitUncertain, ConnectionLost } from './errors.ts'
import type { Pool } from './pool.ts'
import type { Session } from './session.ts'

export interface Transactions {
  /** Statements that begin one. */
  readonly begin: (settings: TransactionSettings) => readonly string[]
  /** Whether an error in answer to COMMIT says that nothing was written. */
  readonly isUndone: (error: unknown) => boolean
}

class Connection implements DatabaseConnection {
  readonly session: Session
  /** Whether the next user may have the session: not in the middle of a transaction. */
  clean = true

  constructor(session: Session) {
    this.session = session
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    return (await this.session.query(sql, parameters)) as QueryResult<R>
  }

  // oxlint-disable-next-line require-yield -- refuses
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('streaming is not supported')
  }
}

/** Kysely's driver over a pool. Closes the pool in the end. */
export function createDriver(pool: Pool, { begin, isUndone }: Transactions): Driver {
  return {
    init: () => Promise.resolve(),
    acquireConnection: async () => new Connection(await pool.acquire()),
    async releaseConnection(connection) {
      const { session, clean } = connection as Connection
      pool.release(session, clean)
    },
    async beginTransaction(connection, settings) {
      const { session } = own(connection)
      for (const statement of begin(settings)) await session.query(statement, [])
    },
    async commitTransaction(connection) {
      const { session } = connection as Connection
      if (!session.isUsable()) throw new ConnectionLost('the connection was lost before COMMIT')
      try {
        await session.query('commit', [])
      } catch (cause) {
        throw isUndone(cause) ? cause : new CommitUncertain('no answer to COMMIT', { cause })
      }
      ;(connection as Connection).clean = true
    },
    async rollbackTransaction(connection) {
      const { session } = connection as Connection
      try {
        await session.query('rollback', [])
        ;(connection as Connection).clean = true
      } catch {
        // The session is cut, which undoes the transaction; why it was to be undone is the better error.
      }
    },
    destroy: () => pool.close(),
  }
}

function own(connection: DatabaseConnection): Connection {
  const mine = connection as Connection
  mine.clean = false
  return mine
}
