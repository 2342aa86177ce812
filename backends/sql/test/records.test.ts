import { describe, expect, it, onTestFinished } from 'vitest'
import { createDatabase } from '../src/database.ts'
import { migrate } from '../src/migrations/migrate.ts'
import { type Claim, createSeal } from 'mullion/images'
import { openSqlite } from '../src/sqlite/engine.ts'
import { KEPT_MS, KEPT_TASKS, PRUNE_EVERY } from '../src/tasks/prune.ts'
import { taskQueue } from '../src/tasks/queue.ts'
import { everything, IDS, image } from './contract/ports.ts'
import { opened, rows, temporaryFile } from './temporary.ts'

const [ID] = IDS
const DATA = { uri: 'file:///1', metadata: {}, status: 'active' as const }

describe('a record', () => {
  it('takes updatedAt from the clock, and never goes back with it', async () => {
    let now = new Date('2030-01-01T00:00:00.000Z')
    const { images } = await opened({ file: ':memory:' }, () => now)
    await images.insert(image())
    expect((await images.update(ID, {})).updatedAt).toEqual(now)
    now = new Date('2029-01-01T00:00:00.000Z')
    expect((await images.update(ID, {})).updatedAt).toEqual(new Date('2030-01-01T00:00:00.000Z'))
    now = new Date('2030-01-01T00:00:00.001Z')
    expect((await images.update(ID, {})).updatedAt).toEqual(now)
  })

  it('knows when it was deleted even if the patch does not say', async () => {
    const now = new Date('2030-01-01T00:00:00.000Z')
    const { images } = await opened({ file: ':memory:' }, () => now)
    await images.insert(image())
    expect((await images.update(ID, { status: 'deleted' })).deletedAt).toEqual(now)
  })

  it('keeps soft-deleted rows and revives them instead of adding more', async () => {
    const file = await temporaryFile()
    const { images, members } = await opened({ file })
    await images.insert(image({ properties: new Map([['a', '1']]), tags: ['t'], locations: [DATA] }))
    await members.put(ID, { member: 'm', canShare: false })
    await images.update(ID, { properties: { set: new Map(), purge: true }, tags: [], locations: [] })
    await members.remove(ID, 'm')
    const state = (table: string): unknown =>
      rows(file, `select deleted, deleted_at is not null as dated from ${table}`)
    const tables = ['image_properties', 'image_tags', 'image_members']
    for (const table of [...tables, 'image_locations']) expect(state(table)).toEqual([{ deleted: 1, dated: 1 }])
    await images.update(ID, { properties: { set: new Map([['a', '2']]), purge: true }, tags: ['t'] })
    await members.put(ID, { member: 'm', canShare: true })
    for (const table of tables) expect(state(table)).toEqual([{ deleted: 0, dated: 0 }])
    expect(rows(file, 'select status from image_locations')).toEqual([{ status: 'deleted' }])
  })

  it('keeps the row of a location that stays, and its id', async () => {
    const file = await temporaryFile()
    const { images } = await opened({ file })
    const other = { ...DATA, uri: 'file:///2' }
    await images.insert(image({ locations: [DATA] }))
    await images.update(ID, { locations: [other, { ...DATA, metadata: { a: 'b' } }, DATA] })
    expect(rows(file, 'select id, position, deleted from image_locations order by id')).toEqual([
      { id: 1, position: 1, deleted: 0 },
      { id: 2, position: 0, deleted: 0 },
      { id: 3, position: 2, deleted: 0 },
    ])
  })

  it.each([
    ['name', { name: 'x'.repeat(256) }],
    ['name', { name: 'a\0b' }],
    ['name', { name: '\ud800' }],
    ['owner', { owner: 'x'.repeat(256) }],
    ['checksum', { checksum: 'x'.repeat(33) }],
    ['size', { size: -1 }],
    ['size', { size: 1.5 }],
    ['minDisk', { minDisk: 2 ** 31 }],
    ['status', { status: undefined as unknown as 'active' }],
    ['tags', { tags: ['x'.repeat(256)] }],
    ['properties', { properties: { set: new Map([['x'.repeat(256), '']]), purge: false } }],
    ['properties', { properties: { set: new Map([['x', '\0']]), purge: false } }],
  ])('refuses a %s that another database would refuse or cut, and changes nothing', async (name, patch) => {
    const { images } = await opened({ file: ':memory:' })
    await images.insert(image())
    await expect(images.update(ID, { visibility: 'public', ...patch })).rejects.toMatchObject({
      code: 'invalid_argument',
      details: { name },
    })
    expect(await images.get(ID)).toEqual(image())
  })

  it('refuses an id of more than 36 characters', async () => {
    const { images } = await opened({ file: ':memory:' })
    await expect(images.insert(image({ id: 'x'.repeat(37) }))).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  it('of a member needs an image', async () => {
    const { members } = await opened({ file: ':memory:' })
    await expect(members.put(ID, { member: 'm', canShare: false })).rejects.toMatchObject({
      code: 'not_found',
    })
  })
})

describe('a list', () => {
  it('is whole when it is longer than one batch', async () => {
    const { images } = await opened({ file: ':memory:' })
    for (let at = 0; at < 1100; at += 1)
      await images.insert(image({ id: `image-${at}`, properties: new Map([['at', `${at}`]]), locations: [DATA] }))
    const listed = await images.list(everything({ limit: 1100 }))
    expect(new Set(listed.map(({ properties }) => properties.get('at'))).size).toBe(1100)
    expect(listed.every(({ locations }) => locations.length === 1)).toBe(true)
  }, 30_000)

  it.each([
    ['limit', { limit: -1 }],
    ['limit', { limit: 0.5 }],
    ['name', { filters: { name: Array.from({ length: 1001 }, String) } }],
    [
      'properties',
      { filters: { properties: new Map(Array.from({ length: 101 }, (_, at) => [`${at}`, ''] as const)) } },
    ],
    ['changesSince', { filters: { changesSince: new Date(Number.NaN) } }],
  ])('with a wrong %s is refused', async (name, query) => {
    const { images } = await opened({ file: ':memory:' })
    await expect(images.list(everything(query))).rejects.toMatchObject({ code: 'invalid_argument', details: { name } })
  })

  it('takes times beyond the year 9999 for the end of time', async () => {
    const { images } = await opened({ file: ':memory:' })
    await images.insert(image())
    expect(await images.list(everything({ filters: { changesSince: new Date(8.64e15) } }))).toEqual([])
    expect(await images.list(everything({ filters: { changesSince: new Date(-8.64e15) } }))).toHaveLength(1)
  })
})

describe('tasks that are over', () => {
  it('are kept up to a number', async () => {
    const engine = await openSqlite(':memory:', 0)
    const database = createDatabase(engine, { busyTimeoutMs: 0 })
    onTestFinished(() => database.close())
    await database.direct('open', (db) => migrate(db, engine))
    let at = Date.UTC(2030, 0, 1)
    const tasks = taskQueue(database, createSeal([], false), {
      leaseMs: 1000,
      now: () => new Date((at += 1)),
    })
    const all = KEPT_TASKS + PRUNE_EVERY + 1 // one after the look at what is kept
    for (let number = 0; number < all; number += 1) {
      const claim = await tasks.begin({ kind: 'upload', id: `t${number}`, imageId: ID, onFailure: 'kill' }, 'w')
      await tasks.settle(claim, number === PRUNE_EVERY + 1 ? 'no such host' : undefined)
    }
    const kept = await database.direct('test', (db) =>
      db.selectFrom('tasks').select(['id', 'status', 'message']).orderBy('seq').execute(),
    )
    expect(kept).toHaveLength(KEPT_TASKS)
    expect(kept[0]).toEqual({ id: `t${PRUNE_EVERY + 1}`, status: 'failed', message: 'no such host' })
  }, 30_000)

  it('are kept up to an age, open ones for ever', async () => {
    const file = await temporaryFile()
    let now = new Date('2030-01-01T00:00:00.000Z')
    const { tasks } = await opened({ file }, () => now)
    const [old, , late] = await Promise.all(
      ['old', 'open', 'late'].map((id) => tasks.begin({ kind: 'upload', id, imageId: ID, onFailure: 'kill' }, 'w')),
    )
    await tasks.settle(old as Claim)
    now = new Date(now.getTime() + KEPT_MS + 1)
    const next = await opened({ file }, () => now)
    await next.tasks.settle(late as Claim)
    expect(rows(file, 'select id, status from tasks order by id')).toEqual([
      { id: 'late', status: 'done' },
      { id: 'open', status: 'running' },
    ])
  })
})
