import { openRegistry } from '@mullion/sql'
import { describeWithService } from '../../../../../test/services/require.ts'
import { mariadb, postgres, type TestDatabase } from '../../cluster/databases.ts'
import { describeTable, type Records } from './table.ts'

async function recordsIn(dialect: 'postgres' | 'mysql', { url, drop }: TestDatabase): Promise<Records> {
  const { images, members, tasks, close } = await openRegistry({ dialect, url })
  return {
    images,
    members,
    tasks,
    async close() {
      await close()
      await drop()
    },
  }
}

describeWithService(['POSTGRES_URL', 'POSTGRES_ADMIN_URL'], 'postgres.sh', 'Images v1 on a server', (env) => {
  describeTable('over PostgreSQL', async () =>
    recordsIn('postgres', await postgres(env.POSTGRES_ADMIN_URL, env.POSTGRES_URL)),
  )
})

describeWithService(['MYSQL_URL'], 'mariadb.sh', 'Images v1 on a server', (env) => {
  describeTable('over MariaDB', async () => recordsIn('mysql', await mariadb(env.MYSQL_URL)))
})
