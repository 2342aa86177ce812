import type { ColumnDefinitionBuilder, Dialect } from 'kysely'
import type { ErrorCode } from 'mullion'

/** What differs between databases. Everything else in this package is SQL that all of them understand. */
export interface Engine {
  readonly dialect: Dialect
  /** Column type and modifiers of a number the database counts up itself. */
  readonly autoId: {
    readonly type: 'integer' | 'serial'
    readonly define: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder
  }
  /**
   * The cause of an error of the driver. `unavailable`: nothing was written and another attempt may succeed.
   * `already_exists`: a unique key is taken. Undefined when the error is none of the driver's, or means nothing known.
   */
  readonly classify: (error: unknown) => ErrorCode | undefined
}
