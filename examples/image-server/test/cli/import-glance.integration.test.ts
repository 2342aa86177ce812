import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { describeWithService } from '../../../../test/services/require.ts'
import { OCTETS, send } from '../process/client.ts'
import { killAll, start } from '../process/server-process.ts'
import { jsonLines } from './command-line.ts'
import { type Identity, type OriginalGlance, startGlance } from './original-glance.ts'
import { runProgram } from './program-process.ts'

const run = promisify(execFile)
const TIMEOUT = 240_000

let directory: string
let undo: (() => Promise<unknown>)[]
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mullion-glance-'))
  undo = []
})
afterEach(async () => {
  await killAll()
  for (const step of undo.toReversed()) await step()
  await rm(directory, { recursive: true, force: true })
})

const SECOND: Identity = { project: 'second', roles: 'member' }
const FORMATS = { disk_format: 'raw', container_format: 'bare' }
const bytes = randomBytes(3 * 1024 * 1024 + 17)
const other = randomBytes(70_000)

interface Ids {
  readonly [name: string]: string
}

/** One image of each kind that the original can make through its API. */
async function fill(glance: OriginalGlance): Promise<Ids> {
  const create = async (name: string, rest: object, data?: Buffer, identity?: Identity): Promise<string> => {
    const { id } = await glance.request('POST', '/v2/images', { name, ...FORMATS, ...rest }, identity)
    if (data) await glance.request('PUT', `/v2/images/${String(id)}/file`, data, identity)
    return String(id)
  }
  const ids = {
    tagged: await create(
      'tagged',
      { tags: ['a', 'ü'], os: 'linux', empty: '', hw_machine_type: 'q35', min_ram: 7 },
      bytes,
    ),
    public: await create('public', { visibility: 'public' }, other),
    private: await create('private', { visibility: 'private' }, other),
    shared: await create('shared', { visibility: 'shared' }, other),
    foreign: await create('foreign', { visibility: 'private' }, other, SECOND),
    protected: await create('protected', { protected: true }, other),
    queued: await create('queued', {}),
    deactivated: await create('deactivated', {}, other),
    deleted: await create('deleted', { os: 'linux' }, other),
    empty: await create('empty', {}, Buffer.alloc(0)),
  }
  await glance.request('POST', `/v2/images/${ids.shared}/members`, { member: SECOND.project })
  await glance.request('PUT', `/v2/images/${ids.shared}/members/${SECOND.project}`, { status: 'accepted' }, SECOND)
  await glance.request('POST', `/v2/images/${ids.deactivated}/actions/deactivate`)
  await glance.request('DELETE', `/v2/images/${ids.deleted}`)
  return ids
}

interface Databases {
  /** As SQLAlchemy reads it, and as `connection` says it. */
  readonly database: string
  readonly metadataKey?: string
}

/** From the first start of the original to downloads from ours. */
async function moveFrom(script: string, { database, metadataKey }: Databases): Promise<void> {
  const glance = await startGlance({ script, directory, database, ...(metadataKey && { metadataKey }) })
  undo.push(() => glance.stop())
  const ids = await fill(glance)
  await glance.stop()

  const config = join(directory, 'mullion.toml')
  await writeFile(config, `[stores.file]\ndir = "${glance.images}"\n[pipeline]\nflavour = "trusted-auth"\n`)
  const env = { MULLION_CONFIG: config, MULLION_DATA_DIR: join(directory, 'data'), GLANCE_KEY: metadataKey ?? '' }
  const mullion = (...args: readonly string[]) => runProgram(args, env)
  const key = metadataKey ? ['--metadata-encryption-key', 'env:GLANCE_KEY'] : []
  expect(await mullion('db', 'upgrade')).toMatchObject({ code: 0 })
  const images = Object.keys(ids).length
  const counted = { kind: 'summary', images, unchanged: 0, replaced: 0, kept: 0, refused: 0, findings: 0 }

  const before = await readdir(glance.images)
  const importGlance = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await mullion('import-glance', database, '--json', '--verify', ...key, ...args)
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' })
    return jsonLines(stdout)
  }
  expect(await importGlance('--dry-run')).toEqual([{ ...counted, added: images, dryRun: true }])
  expect(await importGlance()).toEqual([{ ...counted, added: images, dryRun: false }])
  expect(await importGlance()).toEqual([{ ...counted, added: 0, unchanged: images, dryRun: false }])
  expect(await mullion('doctor', '--grace', '0')).toMatchObject({ code: 0 })
  expect(await readdir(glance.images)).toEqual(before)
  await serveAll(env, ids)
}

/** Asks our server, as users of both projects, for what the original stored. */
async function serveAll(env: Readonly<Record<string, string>>, ids: Ids): Promise<void> {
  const { url } = await start(env)
  const as = (project: string) => ({
    'x-identity-status': 'Confirmed',
    'x-user-id': 'somebody',
    'x-project-id': project,
    'x-roles': 'member',
  })
  const get = (name: string, project: string) => send('GET', `${url}/v1/images/${ids[name]}`, as(project))
  const tagged = await get('tagged', 'first')
  expect(tagged.status).toBe(200)
  expect(tagged.body.equals(bytes)).toBe(true)
  expect(tagged.headers).toMatchObject({
    'x-image-meta-name': 'tagged',
    'x-image-meta-owner': 'first',
    'x-image-meta-min_ram': '7',
    'x-image-meta-property-os': 'linux',
    'x-image-meta-property-hw_machine_type': 'q35',
  })
  const statuses: Record<string, readonly number[]> = {}
  for (const name of Object.keys(ids)) {
    statuses[name] = [(await get(name, 'first')).status, (await get(name, 'second')).status]
  }
  expect(statuses).toEqual({
    tagged: [200, 404],
    public: [200, 200],
    private: [200, 404],
    shared: [200, 200],
    foreign: [404, 200],
    protected: [200, 404],
    queued: [404, 404],
    deactivated: [403, 404],
    deleted: [404, 404],
    empty: [200, 404],
  })
  expect((await get('shared', 'second')).body.equals(other)).toBe(true)
  expect((await get('empty', 'first')).body).toHaveLength(0)
  const remove = await send('DELETE', `${url}/v1/images/${ids['protected']}`, as('first'))
  expect(remove.status).toBe(403)
  const again = { ...as('first'), 'x-image-meta-id': ids['deleted'] ?? '', 'x-image-meta-name': 'again' }
  const reused = await send(
    'POST',
    `${url}/v1/images`,
    { ...again, 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare', ...OCTETS },
    other,
  )
  expect(reused.status).toBe(409)
}

describeWithService(['GLANCE_SERVICE'], 'glance.sh', 'mullion import-glance of the original', ({ GLANCE_SERVICE }) => {
  it('serves what it stored, from SQLite', { timeout: TIMEOUT }, async () => {
    await moveFrom(GLANCE_SERVICE, { database: `sqlite:///${directory}/glance.db` })
  })

  it('opens the locations that it encrypted', { timeout: TIMEOUT }, async () => {
    const database = `sqlite:///${directory}/glance.db`
    await moveFrom(GLANCE_SERVICE, { database, metadataKey: 'sixteen octets..' })
  })
})

describeWithService(
  ['GLANCE_SERVICE', 'MYSQL_HOST', 'MYSQL_PORT', 'MYSQL_USER', 'MYSQL_PASSWORD'],
  'mariadb.sh',
  'mullion import-glance of the original with MariaDB',
  ({ GLANCE_SERVICE, MYSQL_HOST, MYSQL_PORT, MYSQL_USER, MYSQL_PASSWORD }) => {
    it('serves what it stored', { timeout: TIMEOUT }, async () => {
      const name = `mullion_glance_${randomBytes(6).toString('hex')}`
      const server = ['--no-defaults', '-h', MYSQL_HOST, '-P', MYSQL_PORT, `-u${MYSQL_USER}`, `-p${MYSQL_PASSWORD}`]
      await run('mariadb', [...server, '-e', `create database ${name}`])
      undo.push(() => run('mariadb', [...server, '-e', `drop database ${name}`]))
      const place = `${MYSQL_USER}:${MYSQL_PASSWORD}@${MYSQL_HOST}:${MYSQL_PORT}/${name}`
      await moveFrom(GLANCE_SERVICE, { database: `mysql+pymysql://${place}?charset=utf8` })
    })
  },
)

describeWithService(
  ['GLANCE_SERVICE', 'POSTGRES_URL'],
  'postgres.sh',
  'mullion import-glance of the original with PostgreSQL',
  ({ GLANCE_SERVICE, POSTGRES_URL }) => {
    it('serves what it stored', { timeout: TIMEOUT }, async () => {
      const name = `mullion_glance_${randomBytes(6).toString('hex')}`
      await run('psql', ['-X', '-q', POSTGRES_URL, '-c', `create database ${name}`])
      undo.push(() => run('psql', ['-X', '-q', POSTGRES_URL, '-c', `drop database ${name} with (force)`]))
      const url = new URL(POSTGRES_URL)
      const place = `${url.username}:${url.password}@${url.host}/${name}`
      await moveFrom(GLANCE_SERVICE, { database: `postgresql+psycopg2://${place}` })
    })
  },
)
