import { DatabaseSync } from 'node:sqlite'
import type { ReadOnlyDatabase, Row } from './database.ts'

/** Throws what node:sqlite throws. */
export function openSqlite(file: string): ReadOnlyDatabase {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5000 })
  const query = (statement: string, parameters: readonly (string | number)[] = []): readonly Row[] =>
    database.prepare(statement).all(...parameters) as unknown as readonly Row[]
  try {
    database.exec('begin') // one state to the end
    query('select count(*) from sqlite_master')
  } catch (error) {
    database.close()
    throw error
  }
  return {
    query: async (statement, parameters) => query(statement, parameters),
    columns: async (table) =>
      new Set(query('select name from pragma_table_info(?)', [table]).map((row) => String(row['name']))),
    close: async () => database.close(),
  }
}
