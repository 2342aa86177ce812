import { createServer, type Server, type Socket } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { checkRegistry, migrateRegistry, openRegistry, type SqlConfig } from '@mullion/sql'
import { CompiledQuery } from 'kysely'
import { parseConfig } from '../../src/config.ts'
import { openDatabase } from '../../src/open.ts'
import { everything, IDS, image } from '../contract/ports.ts'
import { randomName, withName } from '../databases.ts'
import { describeServers, openedOn } from '../servers.ts'

const [ID, OTHER] = IDS
const SECRET = 'hunter2-hunter2'

describeServers('a server', (database) => {
  it('that cuts connections is connected to again, and nothing is lost or done twice', async () => {
    const registry = await openedOn(database, { poolSize: 4 })
    await database.empty()
    await registry.images.insert(image())
    for (let round = 0; round < 4; round += 1) {
      const work = Array.from({ length: 12 }, (_, at) =>
        registry.images.update(ID, { properties: { set: new Map([[`${round}.${at}`, 'x']]), purge: false } }),
      )
      const [results] = await Promise.all([Promise.allSettled(work), database.cutConnections()])
      const { properties } = await registry.images.get(ID)
      for (const [at, result] of results.entries()) {
        // what was answered is there; what was not answered may be, and says so
        if (result.status === 'fulfilled') expect(properties.get(`${round}.${at}`)).toBe('x')
        else expect(result.reason).toMatchObject({ code: 'unavailable', retryable: false })
      }
    }
  })

  it('that cuts idle connections does not end this process, nor fail the next call', async () => {
    const registry = await openedOn(database)
    await database.empty()
    await Promise.all(Array.from({ length: 5 }, () => registry.images.list(everything())))
    await database.cutConnections()
    expect(await registry.images.list(everything())).toEqual([])
  })

  it('that has no connection left lets callers wait for each other, and rejects in time', async () => {
    const registry = await openedOn(database, { poolSize: 2 })
    await database.empty()
    const inserts = Array.from({ length: 40 }, (_, at) => registry.images.insert(image({ id: `image-${at}` })))
    expect(await Promise.all(inserts)).toHaveLength(40)

    const parsed = parseConfig({ ...database.config, poolSize: 1, busyTimeoutMs: 100 } as SqlConfig)
    const narrow = await openDatabase(parsed)
    onTestFinished(() => narrow.close())
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>()
    const holding = narrow.write('hold', () => held)
    const waiting = narrow.direct('wait', (db) => db.selectFrom('images').select('id').execute())
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    letGo()
    await holding
    expect(await narrow.direct('go on', (db) => db.selectFrom('images').select('id').execute())).toHaveLength(40)
  })

  it.each([
    ['password', (url: URL) => Object.assign(url, { password: SECRET })],
    ['user', (url: URL) => Object.assign(url, { username: 'mullion_nobody', password: SECRET })],
    ['database', (url: URL) => Object.assign(url, { pathname: '/mullion_nowhere' })],
  ])('is not asked again with a wrong %s, and the password is told nobody', async (what, change) => {
    if (database.dialect === 'postgres' && what === 'password') return // the test server trusts everybody it knows
    const url = change(new URL(database.url)).href
    const error = await openRegistry({ ...database.config, url } as SqlConfig).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'invalid_config', details: { plugin: 'sql' } })
    const { message, cause } = error as Error
    expect(`${message} ${String(cause)} ${JSON.stringify(cause)}`).not.toContain(SECRET)
  })

  it('that nobody listens for rejects unavailable, and holds no timer or socket', async () => {
    const url = Object.assign(new URL(database.url), { port: '1', password: SECRET }).href
    const opening = openRegistry({ ...database.config, url, busyTimeoutMs: 200 } as SqlConfig)
    await expect(opening).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    await expect(opening).rejects.not.toThrow(SECRET)
  })

  it('that never answers is given up in time', async () => {
    const silent = await listening(() => undefined)
    const url = Object.assign(new URL(database.url), { port: silent }).href
    const slow = { url, busyTimeoutMs: 0, connectTimeoutMs: 150 }
    await expect(openRegistry({ ...database.config, ...slow })).rejects.toMatchObject({
      code: 'unavailable',
    })
  })

  it('that does not speak TLS is refused when TLS is asked for', async () => {
    const tls = { tls: { serverName: 'db' } }
    await expect(openRegistry({ ...database.config, ...tls })).rejects.toMatchObject({
      code: 'invalid_config',
    })
  })

  it('loses its connection in COMMIT: the call rejects, says that it does not know, and is not repeated', async () => {
    await openedOn(database)
    await database.empty()
    // a server in between that breaks the connection when it sees a COMMIT, before or after the database does it
    for (const passes of [false, true]) {
      const between = await breaking(new URL(database.url), /commit\0?$/, passes)
      const url = Object.assign(new URL(database.url), { hostname: '127.0.0.1', port: between }).href
      const registry = await openedOn(database, { url })
      const id = passes ? ID : OTHER
      await expect(registry.images.insert(image({ id }))).rejects.toMatchObject({
        code: 'unavailable',
        retryable: false,
      })
    }
    // the database may take a moment to notice, or to do what it was told
    await expect.poll(async () => (await database.sql('select id from images')).map(({ id }) => id)).toEqual([ID])
  })

  it('takes letters of four octets and long texts, and refuses what it cannot keep', async () => {
    const { images } = await openedOn(database)
    await database.empty()
    const properties = new Map([
      ['𝄞', '𝄞'.repeat(1000)],
      ['long', 'y'.repeat(3_000_000)],
      ['quote\'\\"%_', "'; drop table images; --\\"],
    ])
    const name = '𝄞'.repeat(255)
    const stored = await images.insert(image({ name, properties, reason: 'r'.repeat(100_000) }))
    expect([stored.name, stored.reason?.length]).toEqual([name, 100_000])
    expect(new Map(stored.properties)).toEqual(properties)
    expect((await images.list(everything({ filters: { properties } }))).map(({ id }) => id)).toEqual([ID])
    for (const bad of ['a\0', '\uD800', 'x'.repeat(256)]) {
      await expect(images.update(ID, { name: bad })).rejects.toMatchObject({ code: 'invalid_argument' })
    }
  })

  it('tells no secret in the error of a statement', async () => {
    const { images } = await openedOn(database)
    await database.empty()
    await database.sql('alter table image_locations add constraint test_only check (position < 1)')
    onTestFinished(async () => void (await database.sql('alter table image_locations drop constraint test_only')))
    const location = { uri: `s3://user:${SECRET}@host/`, metadata: {}, status: 'active' as const }
    const error = await images.insert(image({ locations: [location, location] })).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'internal' })
    const { cause } = error as Error
    expect(
      `${String(error)} ${String(cause)} ${JSON.stringify(cause, Object.getOwnPropertyNames(cause))}`,
    ).not.toContain(SECRET)
    expect(await images.list(everything())).toEqual([])
  })
})

describeServers('a user who may read only', (database) => {
  it('reads what is there, and is told that nothing may be written', async () => {
    await openedOn(database)
    const user = randomName()
    await createReader(database, user)
    const url = Object.assign(new URL(database.url), { username: user, password: SECRET }).href
    const registry = await openedOn(database, { url })
    expect(await registry.images.list(everything())).toEqual([])
    const error = await registry.images.insert(image()).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'permission_denied' })
    expect(await checkRegistry({ ...database.config, url } as SqlConfig)).toMatchObject({ pending: [] })
  })
})

describeServers('the version', (database) => {
  it('is checked without a change, refused when tables are missing, and brought up to date on demand', async () => {
    const { config } = database
    const pending = ['0001_initial', '0002_servers']
    expect(await checkRegistry(config)).toEqual({
      version: undefined,
      latest: '0002_servers',
      pending,
      unfinished: undefined,
    })
    const refused = openRegistry(config, { migrate: false })
    await expect(refused).rejects.toMatchObject({ code: 'invalid_config' })
    await expect(refused).rejects.toThrow(/0001_initial, 0002_servers.*mullion db upgrade/)
    expect(await migrateRegistry(config)).toEqual(pending)
    expect(await migrateRegistry(config)).toEqual([])
    expect(await checkRegistry(config)).toMatchObject({ version: '0002_servers', pending: [] })
    await (await openRegistry(config, { migrate: false })).close()
  })

  it('of a newer program is refused', async () => {
    await openedOn(database)
    await database.sql("insert into schema_version values ('0009_later', '2030-01-01T00:00:00.000Z')")
    await expect(openRegistry(database.config)).rejects.toThrow(/0009_later.*0002_servers/)
    await database.sql("delete from schema_version where name = '0009_later'")
  })

  it('is told when a migration was interrupted, where that leaves something', async () => {
    await openedOn(database)
    await database.sql("update schema_version set timestamp = 'unfinished' where name = '0002_servers'")
    await expect(openRegistry(database.config)).rejects.toThrow(/0002_servers was interrupted.*backup/)
    expect(await checkRegistry(database.config)).toMatchObject({
      pending: ['0002_servers'],
      unfinished: '0002_servers',
    })
  })
})

describeServers('the tables of another program', (database) => {
  it('are refused and left alone', async () => {
    await database.sql('create table images (id integer)')
    await expect(openRegistry(database.config)).rejects.toThrow(/did not create/)
    expect(await database.sql('select * from images')).toEqual([])
  })
})

describeServers('a statement', (database) => {
  it('that takes too long is ended, and the connection lives on', async () => {
    await openedOn(database)
    const parsed = parseConfig({
      ...database.config,
      poolSize: 1,
      busyTimeoutMs: 0,
      statementTimeoutMs: 100,
    } as SqlConfig)
    const hasty = await openDatabase(parsed)
    onTestFinished(() => hasty.close())
    const sleep = database.dialect === 'postgres' ? 'select pg_sleep(30)' : 'select sleep(30)'
    const slow = hasty.direct('sleep', (db) => db.executeQuery(CompiledQuery.raw(sleep)))
    await expect(slow).rejects.toMatchObject({ code: 'unavailable' })
    expect(await hasty.direct('go on', (db) => db.selectFrom('images').select('id').execute())).toEqual([])
  })
})

async function createReader(
  database: { dialect: string; url: string; sql(text: string): Promise<unknown> },
  user: string,
) {
  const drop = `drop user ${user}`
  if (database.dialect === 'postgres') {
    const { POSTGRES_ADMIN_URL = '' } = process.env
    const { default: pg } = await import('pg')
    const admin = new pg.Client(withName(POSTGRES_ADMIN_URL, new URL(database.url).pathname.slice(1)))
    await admin.connect()
    await admin.query(
      `create role ${user} login password '${SECRET}'; grant select on all tables in schema public to ${user}`,
    )
    onTestFinished(async () => {
      await admin.query(`drop owned by ${user}; drop role ${user}`)
      await admin.end()
    })
    return
  }
  const { default: mysql } = await import('mysql2/promise')
  const { MYSQL_ADMIN_URL = '' } = process.env
  const admin = await mysql.createConnection(MYSQL_ADMIN_URL)
  await admin.query(`create user ${user} identified by '${SECRET}'`)
  await admin.query(`grant select on ${new URL(database.url).pathname.slice(1)}.* to ${user}`)
  onTestFinished(async () => {
    await admin.query(drop)
    await admin.end()
  })
}

/** Port of a server that does this with every connection. */
async function listening(accept: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    accept(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return String((server.address() as { readonly port: number }).port)
}

/** Port of a server that breaks the connection when a client says this; `passes`: once the database has heard it. */
async function breaking(target: URL, words: RegExp, passes: boolean): Promise<string> {
  const { connect } = await import('node:net')
  return listening((client) => {
    const server = connect({ host: target.hostname, port: Number(target.port) })
    server.on('error', () => client.destroy())
    client.on('close', () => server.destroy())
    let broken = false
    client.on('data', (chunk) => {
      broken ||= words.test(chunk.toString('latin1'))
      if (!broken || passes) server.write(chunk)
      else client.destroy()
    })
    server.on('data', (chunk) => {
      if (!broken) client.write(chunk)
      else client.destroy()
    })
  })
}
