import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { openRegistry, type SqlRegistry, type SqlRegistryEnv } from '@mullion/sql'
import { describeWithService } from '../../../test/services/require.ts'
import { mysqlDatabase, postgresDatabase, type TestDatabase } from './databases.ts'

/** The suite on PostgreSQL and on MariaDB, each with a database that is there from the first test to the last. */
export function describeServers(title: string, body: (database: TestDatabase) => void): void {
  describeWithService(['POSTGRES_URL'], 'postgres.sh', `${title}: postgres`, ({ POSTGRES_URL }) =>
    withDatabase(() => postgresDatabase(POSTGRES_URL), body),
  )
  describeWithService(['MYSQL_URL'], 'mariadb.sh', `${title}: mysql`, ({ MYSQL_URL }) =>
    withDatabase(() => mysqlDatabase(MYSQL_URL), body),
  )
}

function withDatabase(make: () => Promise<TestDatabase>, body: (database: TestDatabase) => void): void {
  let made: TestDatabase | undefined
  beforeAll(async () => {
    made = await make()
  })
  afterAll(() => made?.drop())
  body(new Proxy({} as TestDatabase, { get: (_target, name) => Reflect.get(made ?? {}, name) as unknown }))
}

/** A registry that is closed when the test is over. */
export async function openedOn(
  { config }: TestDatabase,
  changes: object = {},
  env: SqlRegistryEnv = {},
): Promise<SqlRegistry> {
  const registry = await openRegistry({ ...config, ...changes }, env)
  onTestFinished(() => registry.close())
  return registry
}
