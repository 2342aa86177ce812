import { readFile } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { openRegistry } from '@mullion/sql'
import { everything, IDS, image } from './contract/ports.ts'
import { opened, rows, temporaryFile } from './temporary.ts'

const [ID, OTHER] = IDS
const OLD = { id: 'old', key: Buffer.alloc(32, 1).toString('base64') }
const NEW = { id: 'new', key: Buffer.alloc(32, 2).toString('base64') }
const SECRET = 'hunter2hunter2'
const LOCATION = {
  uri: `s3://user:${SECRET}@bucket/key`,
  metadata: { note: `also ${SECRET}` },
  status: 'active' as const,
}
const TASK = { kind: 'copy' as const, id: 't', imageId: ID, uri: `https://user:${SECRET}@host/`, store: undefined }

async function sealedFile(): Promise<string> {
  const file = await temporaryFile()
  await using registry = await openRegistry({ file, encryptionKeys: [OLD] })
  await registry.images.insert(image({ locations: [LOCATION] }))
  await registry.images.insert(image({ id: OTHER, locations: [LOCATION] }))
  await registry.tasks.enqueue(TASK)
  return file
}

const stored = (file: string): unknown[] =>
  rows(file, 'select value from image_locations where deleted = 0 order by id').map(({ value }) => value)

describe('with an encryption key', () => {
  it('leaves no secret in any file of the database', async () => {
    const file = await temporaryFile()
    const registry = await opened({ file, encryptionKeys: [OLD] })
    await registry.images.insert(image({ locations: [LOCATION] }))
    await registry.tasks.enqueue(TASK)
    for (const name of [file, `${file}-wal`]) expect((await readFile(name)).includes(SECRET)).toBe(false)
    await registry.close()
    expect((await readFile(file)).includes(SECRET)).toBe(false)
  })

  it('seals equal locations of two images differently', async () => {
    const [first, second] = stored(await sealedFile())
    expect(first).toMatch(/^v1:old:/)
    expect(first).not.toBe(second)
  })

  it('rotates: reads under the old key, seals anew when the locations are written', async () => {
    const file = await sealedFile()
    const registry = await opened({ file, encryptionKeys: [NEW, OLD] })
    expect((await registry.images.get(ID)).locations).toEqual([LOCATION])
    expect((await registry.tasks.claim('w', 'copy'))?.task).toEqual(TASK)
    await registry.images.update(ID, { name: 'x' })
    expect(stored(file)).toEqual([expect.stringMatching(/^v1:old:/), expect.stringMatching(/^v1:old:/)])
    await registry.images.update(ID, { locations: [LOCATION] })
    expect(stored(file)).toEqual([expect.stringMatching(/^v1:new:/), expect.stringMatching(/^v1:old:/)])
    await registry.close()
    const later = await opened({ file, encryptionKeys: [NEW] })
    expect((await later.images.get(ID)).locations).toEqual([LOCATION])
    await expect(later.images.get(OTHER)).rejects.toMatchObject({ code: 'invalid_config' })
  })

  it('reads what was stored before there was a key, and seals it at the next write', async () => {
    const file = await temporaryFile()
    const plain = await openRegistry({ file })
    await plain.images.insert(image({ locations: [LOCATION] }))
    await plain.close()
    expect(stored(file)).toEqual([`plain:${LOCATION.uri}`])
    const strict = await opened({ file, encryptionKeys: [NEW], refusePlain: true })
    await expect(strict.images.get(ID)).rejects.toMatchObject({ code: 'invalid_config' })
    const registry = await opened({ file, encryptionKeys: [NEW] })
    expect((await registry.images.get(ID)).locations).toEqual([LOCATION])
    await registry.images.update(ID, { locations: [LOCATION] })
    expect((await strict.images.get(ID)).locations).toEqual([LOCATION])
  })

  it.each([
    [
      'a changed value',
      `update image_locations set value = substr(value, 1, 20) || case substr(value, 21, 1) when 'A' then 'B' else 'A' end || substr(value, 22)`,
    ],
    [
      'a value of another image',
      `update image_locations set value = (select value from image_locations where image_id = '${OTHER}')`,
    ],
    ['metadata in the place of the URI', 'update image_locations set value = meta_data'],
    ['a value cut short', 'update image_locations set value = substr(value, 1, 30)'],
    ['a value without a form', `update image_locations set value = 'file:///etc/passwd'`],
  ])('refuses %s, without telling the location', async (_what, sql) => {
    const file = await sealedFile()
    const database = new DatabaseSync(file)
    database.exec(`${sql} where image_id = '${ID}'`)
    database.close()
    const registry = await opened({ file, encryptionKeys: [OLD] })
    const refusal = { code: 'internal', context: { imageId: ID }, message: expect.not.stringMatching(/hunter2|passwd/) }
    await expect(registry.images.get(ID)).rejects.toMatchObject(refusal)
    const listed = await registry.images.list(everything())
    expect(listed.find(({ id }) => id === ID)?.locations[0]?.uri).toBe('sealed:unreadable#1')
    expect((await registry.images.get(OTHER)).locations).toEqual([LOCATION])
  })

  it('leaves a task that cannot be read in the queue', async () => {
    const file = await sealedFile()
    const registry = await opened({ file, encryptionKeys: [{ ...OLD, key: NEW.key }] })
    expect(await registry.tasks.claim('w', 'copy')).toBeUndefined()
    expect(rows(file, 'select status, worker from tasks')).toEqual([{ status: 'waiting', worker: null }])
  })

  it('forgets the payload of a task that is over', async () => {
    const file = await temporaryFile()
    const registry = await opened({ file })
    await registry.tasks.settle(await registry.tasks.begin(TASK, 'w'), 'no such host')
    expect(rows(file, 'select status, payload, message from tasks')).toEqual([
      { status: 'failed', payload: null, message: 'no such host' },
    ])
  })
})
