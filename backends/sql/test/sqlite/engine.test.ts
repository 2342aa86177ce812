import { chmod, mkdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Kysely, sql } from 'kysely'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openRegistry } from '@mullion/sql'
import { createDatabase, type Database } from '../../src/database.ts'
import { imageRegistry } from '../../src/images/registry.ts'
import { migrate } from '../../src/migrations/migrate.ts'
import { createSeal } from 'mullion/images'
import { openSqlite } from '../../src/sqlite/engine.ts'
import { everything, IDS, image } from '../contract/ports.ts'
import { opened, temporaryFile } from '../temporary.ts'

interface Tables {
  readonly t: { readonly id: number; readonly name: string | null }
}

async function table(): Promise<Kysely<Tables>> {
  const db = new Kysely<Tables>({ dialect: (await openSqlite(':memory:', 0)).dialect })
  onTestFinished(() => db.destroy())
  await db.schema
    .createTable('t')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('name', 'text')
    .execute()
  return db
}

/** The image registry over a database that the test can reach, too. */
async function reachable(): Promise<{
  readonly database: Database
  readonly images: ReturnType<typeof imageRegistry>
}> {
  const engine = await openSqlite(await temporaryFile(), 0)
  const database = createDatabase(engine, { busyTimeoutMs: 0 })
  onTestFinished(() => database.close())
  await database.direct('open', (db) => migrate(db, engine))
  return { database, images: imageRegistry(database, createSeal([], false), () => new Date()) }
}

describe('the dialect for node:sqlite', () => {
  it('gives the rows of RETURNING', async () => {
    const db = await table()
    expect(await db.insertInto('t').values({ id: 1, name: 'a' }).returning('name').execute()).toEqual([{ name: 'a' }])
    expect(await db.updateTable('t').set({ name: 'b' }).returningAll().execute()).toEqual([{ id: 1, name: 'b' }])
    expect(await db.deleteFrom('t').returning('id').execute()).toEqual([{ id: 1 }])
  })

  it('counts changed rows and tells the id of a new one', async () => {
    const db = await table()
    const { insertId, numInsertedOrUpdatedRows } = await db
      .insertInto('t')
      .values({ id: 41, name: 'a' })
      .executeTakeFirstOrThrow()
    expect([insertId, numInsertedOrUpdatedRows]).toEqual([41n, 1n])
    await db.insertInto('t').values({ id: 42, name: 'a' }).execute()
    expect((await db.updateTable('t').set({ name: 'b' }).executeTakeFirstOrThrow()).numUpdatedRows).toBe(2n)
    expect((await db.deleteFrom('t').where('id', '=', 7).executeTakeFirstOrThrow()).numDeletedRows).toBe(0n)
  })

  it('rolls back, and reports the first error when SQLite has rolled back already', async () => {
    const db = await table()
    const failed = db.transaction().execute(async (transaction) => {
      await transaction.insertInto('t').values({ id: 1, name: 'a' }).execute()
      await sql`rollback`.execute(transaction)
      throw new Error('first')
    })
    await expect(failed).rejects.toThrow('first')
    expect(await db.selectFrom('t').selectAll().execute()).toEqual([])
  })

  it('takes the lock of a writing transaction at its start, and none for reading', async () => {
    const file = await temporaryFile()
    const [first, second] = (await Promise.all(
      [1, 2].map(async () => {
        const db = new Kysely<Tables>({ dialect: (await openSqlite(file, 0)).dialect })
        onTestFinished(() => db.destroy())
        return db
      }),
    )) as [Kysely<Tables>, Kysely<Tables>]
    let entered = false
    await first.transaction().execute(async () => {
      await second
        .transaction()
        .setAccessMode('read only')
        .execute(async (query) => sql`select 1`.execute(query))
      const writing = second.transaction().execute(async () => {
        entered = true
      })
      await expect(writing).rejects.toMatchObject({ errcode: 5 })
    })
    expect(entered).toBe(false)
  })

  it('keeps working when far more statements are used than it caches', async () => {
    const db = await table()
    for (let at = 0; at < 500; at += 1)
      expect(await sql<{ n: number }>`select ${sql.raw(`${at}`)} as n`.execute(db)).toMatchObject({ rows: [{ n: at }] })
  })

  it('sets what answers have to survive a power failure', async () => {
    const { database } = await reachable()
    const pragma = (name: string): Promise<unknown> =>
      database.direct(
        'test',
        async (db) => Object.values((await sql<object>`${sql.raw(`pragma ${name}`)}`.execute(db)).rows[0] ?? {})[0],
      )
    expect(await pragma('journal_mode')).toBe('wal')
    expect(await pragma('synchronous')).toBe(2)
    expect(await pragma('foreign_keys')).toBe(1)
  })
})

describe('a database file', () => {
  it('is readable by its owner only, with all that belongs to it', async () => {
    const file = await temporaryFile()
    const registry = await opened({ file })
    await registry.images.insert(image())
    for (const name of [file, `${file}-wal`, `${file}-shm`]) expect((await stat(name)).mode & 0o777).toBe(0o600)
  })

  it('keeps the mode an operator gave it', async () => {
    const file = await temporaryFile()
    await (await openRegistry({ file })).close()
    await chmod(file, 0o640)
    await (await openRegistry({ file })).close()
    expect((await stat(file)).mode & 0o777).toBe(0o640)
  })

  it.each([
    ['in a missing directory', (file: string) => Promise.resolve(join(file, 'x', 'y.db'))],
    ['that is a directory', (file: string) => mkdir(file).then(() => file)],
    ['that is no database', (file: string) => writeFile(file, 'x'.repeat(4096)).then(() => file)],
    ['with NUL in its name', (file: string) => Promise.resolve(`${file}\0`)],
  ])('%s is refused as invalid_config', async (_what, prepare) => {
    const file = await prepare(await temporaryFile())
    await expect(openRegistry({ file })).rejects.toMatchObject({ code: 'invalid_config', details: { plugin: 'sql' } })
  })

  it('may have a name that looks like a URI', async () => {
    const file = await temporaryFile()
    const here = process.cwd()
    process.chdir(dirname(file))
    onTestFinished(() => process.chdir(here))
    await (await openRegistry({ file: 'file:x?mode=memory' })).close()
    expect((await stat('file:x?mode=memory')).size).toBeGreaterThan(0)
  })
})

describe('errors of the database', () => {
  it('are storage_full when there is no room, and nothing of the change stays', async () => {
    const { database, images } = await reachable()
    await images.insert(image())
    await database.direct('test', (db) => sql`pragma max_page_count = 1`.execute(db))
    const large = new Map([['x', 'y'.repeat(10_000_000)]])
    await expect(images.update(IDS[0], { name: 'n', properties: { set: large, purge: false } })).rejects.toMatchObject({
      code: 'storage_full',
      retryable: false,
    })
    expect(await images.get(IDS[0])).toEqual(image())
  })

  it('are permission_denied when the database may not be written', async () => {
    const { database, images } = await reachable()
    await database.direct('test', (db) => sql`pragma query_only = on`.execute(db))
    await expect(images.insert(image())).rejects.toMatchObject({
      code: 'permission_denied',
      context: { operation: 'insert image' },
    })
    expect(await images.list(everything())).toEqual([])
  })

  it('are internal with their cause when no code describes them', async () => {
    const { database, images } = await reachable()
    await database.direct('test', (db) => db.schema.dropTable('image_tags').execute())
    await expect(images.insert(image())).rejects.toMatchObject({
      code: 'internal',
      cause: expect.objectContaining({ code: 'ERR_SQLITE_ERROR' }),
    })
  })
})

describe('close', () => {
  it('lets calls finish that are under way, refuses later ones, and may be called again', async () => {
    const file = await temporaryFile()
    const registry = await openRegistry({ file })
    const inserts = Array.from({ length: 20 }, (_, at) => registry.images.insert(image({ id: `image-${at}` })))
    await registry.close()
    expect(await Promise.all(inserts)).toHaveLength(20)
    await expect(registry.images.get('image-1')).rejects.toMatchObject({ code: 'closed' })
    await registry.close()
    await registry[Symbol.asyncDispose]()
  })
})
