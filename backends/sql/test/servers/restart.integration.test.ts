import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { describeWithService } from '../../../../test/services/require.ts'
import { IDS, image } from '../contract/ports.ts'
import { mysqlDatabase, postgresDatabase } from '../databases.ts'
import { openedOn } from '../servers.ts'

const [ID] = IDS
const run = promisify(execFile)

/** A server of its own: others use the usual one. */
async function privateServer(name: 'postgres' | 'mariadb', base: number) {
  const directory = await mkdtemp(join(tmpdir(), 'mullion-restart-'))
  const env = { ...process.env, MULLION_SERVICES_DIR: directory, MULLION_PORT_BASE: String(base) }
  const script = (verb: string) => run('bash', [join(process.cwd(), `test/services/${name}.sh`), verb], { env })
  onTestFinished(async () => {
    await script('purge')
    await rm(directory, { recursive: true, force: true })
  })
  const { stdout } = await script('up')
  const [, url = ''] = /_ADMIN_URL=(\S+)/.exec(stdout) ?? []
  const kill = async () => {
    const [pid = ''] = (await readFile(join(directory, name, 'run', `${name}.pid`), 'utf8')).split(' ')
    process.kill(-Number(pid), 'SIGKILL')
  }
  return { url: url.replaceAll('\\', ''), kill, up: () => script('up') }
}

describeWithService(['POSTGRES_URL', 'MYSQL_URL'], 'postgres.sh', 'a server that is killed and started again', () => {
  it.each([
    ['postgres', postgresDatabase, 31_000, 'alter role postgres set synchronous_commit = on'],
    ['mariadb', mysqlDatabase, 32_000, 'set global innodb_flush_log_at_trx_commit = 1'],
  ] as const)(
    '%s: calls wait for it, and what was answered is there',
    async (name, make, base, durable) => {
      const server = await privateServer(name, base)
      const database = await make(server.url)
      await database.sql(durable) // the servers of the tests are faster than safe
      const { images } = await openedOn(database, { busyTimeoutMs: 50_000 })
      await images.insert(image())
      const answered: string[] = []
      const unknown: unknown[] = []
      const writing = (async () => {
        for (let at = 0; at < 200; at += 1) {
          const set = new Map([[`${at}`, 'x']])
          await images.update(ID, { properties: { set, purge: false } }).then(
            () => answered.push(`${at}`),
            (error: unknown) => unknown.push(error),
          )
        }
      })()
      await expect.poll(() => answered.length, { timeout: 20_000 }).toBeGreaterThan(20)
      await server.kill()
      await server.up()
      await writing
      const { properties } = await images.get(ID)
      // The servers of the tests do not flush, but a killed process loses nothing that it gave to the system.
      for (const at of answered.slice(21)) expect(properties.get(at)).toBe('x')
      expect(unknown.length).toBeLessThanOrEqual(1)
      for (const error of unknown) expect(error).toMatchObject({ code: 'unavailable', retryable: false })
    },
    120_000,
  )
})
