import type { ColumnDefinitionBuilder, Dialect, Kysely, RawBuilder } from 'kysely'
import type { ErrorCode } from 'mullion'

/** What differs between databases. Everything else in this package is SQL that all of them understand. */
export interface Engine {
  readonly dialect: Dialect
  readonly schema: SchemaWords
  /** Rows that this transaction will change are locked when they are read. False: a transaction that writes is alone. */
  readonly lockRows: boolean
  /** Whether an index serves `(a, b) > (x, y)`. */
  readonly comparesRows: boolean
  /** How often a transaction that writes sees what others commit meanwhile. Undefined: it is alone. */
  readonly writeIsolation: 'read committed' | undefined
  /** The table, read through this index where the planner lets itself be told. */
  readonly indexed: (table: string, index: string) => RawBuilder<unknown>
  /** `images` joined to what is read first: a few rows lead to their images, and never are all images asked for them. */
  readonly leading: (few: RawBuilder<unknown>) => RawBuilder<unknown>
  /** The database's own time; undefined when it has none but this process's. */
  readonly clock: RawBuilder<string> | undefined
  /** Names of the tables that are there. */
  readonly tables: (db: Kysely<unknown>) => Promise<ReadonlySet<string>>
  /**
   * Runs `work` while no other process does so on this database. Where the database can take back the definition of
   * tables, in one transaction.
   */
  readonly exclusively: <T>(db: Kysely<unknown>, work: (db: Kysely<unknown>) => Promise<T>) => Promise<T>
  /** Whether `exclusively` leaves nothing when `work` fails. */
  readonly undoesTables: boolean
  /**
   * The cause of an error of the driver. `unavailable`: nothing was written and another attempt may succeed.
   * `already_exists`: a unique key is taken. Undefined when the error is none of the driver's, or means nothing known.
   */
  readonly classify: (error: unknown) => ErrorCode | undefined
  /** The longest pause before a busy database is asked again. */
  readonly longestPauseMs: number
}

/** Words of CREATE TABLE. Text compares and sorts by its bytes in all of them. */
export interface SchemaWords {
  /** Column type and modifiers of a number the database counts up itself. */
  readonly autoId: {
    readonly type: 'integer' | 'bigint' | 'bigserial'
    readonly define: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder
  }
  /** A text of at most so many characters. */
  readonly varchar: (length: number) => string
  /** A text of any length. */
  readonly text: string
  /** Where a generated column is computed. */
  readonly generated: 'stored' | 'virtual'
  /** Whether DROP INDEX names the table. */
  readonly dropsIndexOn: boolean
  /** What follows the columns. */
  readonly tableEnd: string
}
