import { type Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import type { Engine } from '../engine.ts'
import { patiently } from '../database.ts'
import { createDriver } from './driver.ts'
import { classify } from './errors.ts'
import { openFile } from './open.ts'

/** SQLite through `node:sqlite`. Rejects what `classify` says of the errors of opening, raw. */
export async function openSqlite(file: string, busyTimeoutMs: number): Promise<Engine> {
  const database = await patiently(() => openFile(file), classify, busyTimeoutMs)
  return {
    dialect: {
      createDriver: () => createDriver(database),
      createQueryCompiler: () => new SqliteQueryCompiler(),
      createAdapter: () => new TransactionalAdapter(),
      // oxlint-disable-next-line typescript/no-explicit-any -- as in Kysely's interface
      createIntrospector: (db: Kysely<any>) => new SqliteIntrospector(db),
    },
    autoId: { type: 'integer', define: (column) => column.primaryKey().autoIncrement() },
    classify,
  }
}

/** Runs migrations in one BEGIN IMMEDIATE transaction, which keeps other processes out: Kysely's own lock does not. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}
