import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, RootOperationNode } from 'kysely'

/** Kysely's driver over one connection; Kysely lets one caller use it at a time. Closes the database in the end. */
export function createDriver(database: DatabaseSync): Driver {
  const prepare = statementCache(database, 200)
  const connection: DatabaseConnection = {
    // oxlint-disable-next-line typescript/require-await -- node:sqlite is synchronous, the interface is not
    async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
      return execute<R>(prepare(query.sql), query)
    },
    streamQuery() {
      throw new Error('streaming is not supported')
    },
  }
  const run = async (text: string): Promise<void> => database.exec(text)
  return {
    init: () => Promise.resolve(),
    acquireConnection: () => Promise.resolve(connection),
    releaseConnection: () => Promise.resolve(),
    // A writer that starts as a reader fails with SQLITE_BUSY at its first write, whatever the timeout.
    beginTransaction: (_connection, { accessMode }) => run(accessMode === 'read only' ? 'begin' : 'begin immediate'),
    commitTransaction: () => run('commit'),
    rollbackTransaction: async () => rollback(database),
    destroy: async () => database.close(),
  }
}

/** An error such as SQLITE_FULL may have rolled the transaction back already; that is no second error. */
function rollback(database: DatabaseSync): void {
  try {
    database.exec('rollback')
  } catch (error) {
    if (!(error as Error).message.includes('no transaction is active')) throw error
  }
}

type Bindable = null | number | bigint | string | Uint8Array

function execute<R>(statement: StatementSync, { query, parameters }: CompiledQuery): QueryResult<R> {
  const values = parameters as readonly Bindable[]
  if (returnsRows(query)) return { rows: statement.all(...values) as R[] }
  const { changes, lastInsertRowid } = statement.run(...values)
  return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) }
}

/** `run` would drop the rows of RETURNING, `all` does not count changes. */
function returnsRows(node: RootOperationNode): boolean {
  if (node.kind === 'InsertQueryNode' || node.kind === 'UpdateQueryNode' || node.kind === 'DeleteQueryNode') {
    return node.returning !== undefined
  }
  return true
}

/** The statements used last, compiled. Bounded, because lists make a text for each number of values. */
function statementCache(database: DatabaseSync, limit: number): (text: string) => StatementSync {
  const statements = new Map<string, StatementSync>()
  return (text) => {
    const statement = statements.get(text) ?? database.prepare(text)
    statements.delete(text)
    statements.set(text, statement)
    if (statements.size > limit) statements.delete(statements.keys().next().value as string)
    return statement
  }
}
