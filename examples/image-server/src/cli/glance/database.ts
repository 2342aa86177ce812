export type Value = string | number | bigint | boolean | null
export type Row = Readonly<Record<string, Value>>

/** One consistent state of somebody else's database: it cannot write. */
export interface ReadOnlyDatabase {
  /** Statements use `?` for parameters. */
  query(statement: string, parameters?: readonly (string | number)[]): Promise<readonly Row[]>
  /** Names of the columns of a table; none when it is not there. */
  columns(table: string): Promise<ReadonlySet<string>>
  close(): Promise<void>
}

export const CONNECT_MS = 10_000
export const QUERY_MS = 120_000
