import { CONNECT_MS, QUERY_MS, type ReadOnlyDatabase, type Row } from './database.ts'
import { driverTls } from './tls.ts'
import type { ServerAddress } from './url.ts'

const TIMESTAMP = 1114

/** Rejects what the driver rejects with. */
export async function openPostgres({
  host,
  port,
  user,
  password,
  database,
  tls,
}: ServerAddress): Promise<ReadOnlyDatabase> {
  const { default: pg } = await import('pg')
  const types = new pg.TypeOverrides()
  types.setTypeParser(TIMESTAMP, (text: string) => text) // the driver would take UTC for local time
  const client = new pg.Client({
    host,
    user,
    password,
    database,
    ...(port !== undefined && { port }),
    ...(tls && {
      ssl: { ...driverTls(tls), ...(tls.verify === 'origin' && { checkServerIdentity: () => undefined }) },
    }),
    types,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: QUERY_MS,
  })
  client.on('error', () => {}) // the query under way rejects as well
  await client.connect()
  const query = async (text: string, values: readonly (string | number)[] = []): Promise<readonly Row[]> => {
    let number = 0
    const result = await client.query<Row>(
      text.replaceAll('?', () => `$${(number += 1)}`),
      [...values],
    )
    return result.rows
  }
  try {
    await query('begin transaction isolation level repeatable read read only')
  } catch (error) {
    await client.end()
    throw error
  }
  return {
    query,
    async columns(table) {
      const rows = await query(
        'select column_name as name from information_schema.columns where table_schema = current_schema() and table_name = ?',
        [table],
      )
      return new Set(rows.map((row) => String(row['name'])))
    },
    close: () => client.end(),
  }
}
