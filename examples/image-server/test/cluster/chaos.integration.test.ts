import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { describeWithService } from '../../../../test/services/require.ts'
import { killAll } from '../process/server-process.ts'
import { client, type Outcome, settled } from './client.ts'
import { runCluster } from './cluster.ts'
import { mariadb, postgres, type TestDatabase } from './databases.ts'
import { doctor } from './doctor.ts'
import { startOrigin } from './origin.ts'

const CLIENTS = 8
const OPERATIONS = 250 // of each client
const SEED = 20_261_122

afterEach(killAll)

describeWithService(['POSTGRES_URL', 'POSTGRES_ADMIN_URL'], 'postgres.sh', 'two servers on one PostgreSQL', (env) => {
  chaos(() => postgres(env.POSTGRES_ADMIN_URL, env.POSTGRES_URL))
})

describeWithService(['MYSQL_URL'], 'mariadb.sh', 'two servers on one MariaDB', (env) => {
  chaos(() => mariadb(env.MYSQL_URL))
})

function chaos(open: () => Promise<TestDatabase>): void {
  it('of which one is killed every few seconds leave nothing half done in 2,000 operations of 8 clients', {
    timeout: 400_000,
  }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'mullion-chaos-'))
    const database = await open()
    const origin = await startOrigin()
    try {
      const cluster = await runCluster({ directory, databaseUrl: database.url, killEveryMs: 3_000 })
      const clients = Array.from({ length: CLIENTS }, (_, index) =>
        client({ tenant: `t${index}`, seed: SEED + index, url: () => cluster.urlOf(index), origin: origin.url }),
      )
      const outcomes = await Promise.all(clients.map((one) => one.run(OPERATIONS)))
      const kills = await cluster.calm()
      await settled(clients, cluster.urls())
      const differences = (await Promise.all(clients.map((one, index) => one.verify(cluster.urlOf(index))))).flat()
      const findings = await doctor(cluster.config(0))
      await cluster.stop()
      expect(differences).toEqual([])
      expect(findings).toEqual([])
      report(kills, outcomes)
    } finally {
      origin.close()
      await killAll()
      await database.drop()
      rmSync(directory, { recursive: true, force: true })
    }
  })
}

/** The run has to have been what its name says. */
function report(kills: number, outcomes: readonly (readonly Outcome[])[]): void {
  const all = outcomes.flat()
  const done = all.filter(({ end }) => end === 'done').length
  const broken = all.filter(({ end }) => end === 'unknown').length
  expect(all).toHaveLength(CLIENTS * OPERATIONS)
  expect(kills).toBeGreaterThanOrEqual(4)
  expect(done).toBeGreaterThan(all.length / 2)
  expect(broken).toBeGreaterThan(0)
}
