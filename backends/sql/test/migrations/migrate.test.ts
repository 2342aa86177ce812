import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { openRegistry } from '@mullion/sql'
import { IDS, image } from '../contract/ports.ts'
import { opened, rows, temporaryFile } from '../temporary.ts'

const VERSIONS = [{ name: '0001_initial' }, { name: '0002_servers' }]

describe('opening', () => {
  it('makes the tables in an empty database and leaves them alone the second time', async () => {
    const file = await temporaryFile()
    const first = await openRegistry({ file })
    await first.images.insert(image())
    await first.close()
    const tables = rows(file, 'select name, sql from sqlite_master order by name')
    const second = await opened({ file })
    expect((await second.images.get(IDS[0])).id).toBe(IDS[0])
    expect(rows(file, 'select name from schema_version')).toEqual(VERSIONS)
    expect(rows(file, 'select name, sql from sqlite_master order by name')).toEqual(tables)
  })

  it('makes the tables once when many connections of one process open at a time', async () => {
    const file = await temporaryFile()
    const registries = await Promise.all(Array.from({ length: 6 }, () => opened({ file })))
    await Promise.all(registries.map((registry, at) => registry.images.insert(image({ id: `image-${at}` }))))
    expect(rows(file, 'select name from schema_version')).toEqual(VERSIONS)
    expect(rows(file, 'select count(*) as count from images')).toEqual([{ count: 6 }])
  })

  it('rejects unavailable when another program keeps the empty database locked, and opens it later', async () => {
    const file = await temporaryFile()
    const other = new DatabaseSync(file)
    other.exec('pragma journal_mode = wal; begin immediate')
    await expect(openRegistry({ file, busyTimeoutMs: 20 })).rejects.toMatchObject({ code: 'unavailable' })
    const waiting = opened({ file, busyTimeoutMs: 5000 })
    await new Promise((resolve) => setImmediate(resolve))
    other.exec('rollback')
    other.close()
    await waiting
    expect(rows(file, 'select name from schema_version')).toEqual(VERSIONS)
  })

  it('refuses a database that is newer than the code, names both versions and changes nothing', async () => {
    const file = await temporaryFile()
    await (await openRegistry({ file })).close()
    const database = new DatabaseSync(file)
    database.exec(`insert into schema_version values ('0003_later', '2030-01-01T00:00:00.000Z')`)
    database.close()
    const refused = openRegistry({ file })
    await expect(refused).rejects.toMatchObject({ code: 'invalid_config', details: { plugin: 'sql' } })
    await expect(refused).rejects.toThrow(/0003_later.*0002_servers/)
    expect(rows(file, 'select name from schema_version')).toEqual([...VERSIONS, { name: '0003_later' }])
  })

  it('refuses the database of another program and leaves it as it is', async () => {
    const file = await temporaryFile()
    const database = new DatabaseSync(file)
    database.exec('create table images (id text)')
    database.close()
    await expect(openRegistry({ file })).rejects.toMatchObject({ code: 'invalid_config' })
    expect(rows(file, 'select name from sqlite_master')).toEqual([{ name: 'images' }])
  })
})
