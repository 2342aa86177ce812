import type { Kysely } from 'kysely'

export async function index(
  db: Kysely<unknown>,
  table: string,
  name: string,
  columns: readonly string[],
  unique: boolean = false,
): Promise<void> {
  const builder = db.schema
    .createIndex(name)
    .on(table)
    .columns([...columns])
  await (unique ? builder.unique() : builder).execute()
}
