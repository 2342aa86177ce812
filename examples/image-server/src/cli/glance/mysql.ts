import { CONNECT_MS, QUERY_MS, type ReadOnlyDatabase, type Row } from './database.ts'
import { driverTls } from './tls.ts'
import type { ServerAddress } from './url.ts'

/** MySQL and MariaDB. Rejects what the driver rejects with. */
export async function openMysql({
  host,
  port,
  user,
  password,
  database,
  tls,
}: ServerAddress): Promise<ReadOnlyDatabase> {
  const { createConnection } = await import('mysql2/promise')
  const connection = await createConnection({
    host,
    user,
    password,
    database,
    ...(port !== undefined && { port }),
    ...(tls && { ssl: { ...driverTls(tls), verifyIdentity: tls.verify === 'identity' } }),
    charset: 'utf8mb4',
    connectTimeout: CONNECT_MS,
    dateStrings: true, // Glance stores UTC in columns that say nothing about it
  })
  const query = async (sql: string, values: readonly (string | number)[] = []): Promise<readonly Row[]> => {
    const [rows] = await connection.query({ sql, values: [...values], timeout: QUERY_MS })
    return rows as readonly Row[]
  }
  try {
    await query('set session transaction isolation level repeatable read')
    await query('start transaction with consistent snapshot, read only')
  } catch (error) {
    connection.destroy()
    throw error
  }
  return {
    query,
    async columns(table) {
      const rows = await query(
        'select column_name as name from information_schema.columns where table_schema = database() and table_name = ?',
        [table],
      )
      return new Set(rows.map((row) => String(row['name'])))
    },
    close: async () => connection.destroy(),
  }
}
