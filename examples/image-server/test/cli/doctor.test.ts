import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { type Installation, jsonLines, mullion } from './command-line.ts'
import { LONG_AGO, oldImage } from './images.ts'
import { files, findings, patient, put, sound } from './patient.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')

describe('mullion doctor', () => {
  it('finds nothing where nothing is wrong', async () => {
    const made = await patient()
    await sound(made)
    expect(await findings(made)).toEqual({
      code: 0,
      found: [],
      summary: { kind: 'summary', images: 1, tasks: 0, unlisted: ['http'], findings: 0, repaired: 0 },
    })
  })

  it('says in a sentence what it found, and in its exit code that it did', async () => {
    const made = await patient()
    const uri = await put(made, 'nobody', '12345')
    expect(await made.run('doctor')).toMatchObject({
      code: 3,
      stdout: `data-orphaned: file ${uri}: no record names it (5 bytes)\n0 records, 0 open tasks: 1 findings, 0 repaired\n`,
    })
  })

  it('finds images whose data is missing or has another size, and repairs none of them', async () => {
    const made = await patient()
    const [good, gone, short, nowhere] = [
      await sound(made),
      await sound(made, { locations: [{ uri: `file://${made.dir}/images/gone`, metadata: {}, status: 'active' }] }),
      await sound(made, { size: 5, status: 'deactivated' }),
      await sound(made, { locations: [] }),
    ]
    for (const args of [[], ['--fix']]) {
      const { code, found } = await findings(made, ...args)
      expect(code).toBe(3)
      const bad = found.filter(({ code: which }) => which !== 'data-orphaned')
      expect(bad).toHaveLength(3)
      expect(bad).toContainEqual(
        expect.objectContaining({ code: 'data-missing', image: gone.id, location: `file://${made.dir}/images/gone` }),
      )
      expect(bad).toContainEqual(expect.objectContaining({ code: 'data-size', image: short.id, repair: 'none' }))
      expect(bad).toContainEqual(expect.objectContaining({ code: 'data-missing', image: nowhere.id }))
    }
    const { images } = await made.open()
    for (const { id, status } of [good, gone, short, nowhere]) expect(await images.get(id)).toMatchObject({ status })
  })

  it('names locations that no store serves, without their secrets', async () => {
    const made = await patient()
    const uri = 'rbd://user:hunter2@x/y'
    const { id } = await sound(made, { locations: [{ uri, metadata: {}, status: 'active' }] })
    const { found } = await findings(made, '--store', 'http', '--fix')
    expect(found).toEqual([])
    const all = await findings(made)
    expect(all.found).toContainEqual(expect.objectContaining({ code: 'location-unserved', image: id }))
    expect(JSON.stringify(all)).not.toContain('hunter2')
  })

  it('reads on behind records that cannot be opened, and removes no data then: they may name it', async () => {
    const made = await patient({ MULLION_REGISTRY_ENCRYPTION_KEYS: `a=${KEY}` })
    await sound(made)
    const { openRegistry } = await import('@mullion/sql')
    const lost = Buffer.alloc(32, 9).toString('base64')
    const file = join(made.dir, 'registry.sqlite')
    const registry = await openRegistry({ file, encryptionKeys: [{ id: 'lost', key: lost }] })
    const hidden = oldImage({ size: 4 })
    const location = { uri: await put(made, 'elsewhere', 'data'), metadata: {}, status: 'active' } as const
    await registry.images.insert({ ...hidden, status: 'active', locations: [location] })
    await registry.close()
    await sound(made)
    const { found, summary } = await findings(made, '--fix')
    expect(found).toContainEqual(expect.objectContaining({ code: 'record-unreadable', image: hidden.id }))
    expect(found).toContainEqual(expect.objectContaining({ code: 'data-orphaned', repair: 'refused' }))
    expect(summary).toMatchObject({ images: 3, repaired: 0 })
    expect(await files(made)).toContain('elsewhere')
  })

  it('refuses a store that it does not know', async () => {
    const made = await patient()
    expect(await made.run('doctor', '--store', 'nothing')).toMatchObject({ code: 2 })
  })

  it('tells which store does not open, and looks at the others', async () => {
    const made = await patient()
    await writeFile(join(made.dir, 'no-directory'), '')
    const env = {
      ...made.env,
      MULLION_CONFIG: join(made.dir, 'mullion.toml'),
    }
    await writeFile(env.MULLION_CONFIG, `[stores.broken]\ntype = "file"\ndir = "${join(made.dir, 'no-directory')}"\n`)
    const image = await sound(made)
    const { id } = await sound(made, { locations: [{ ...image.locations[0], metadata: { store: 'broken' } } as never] })
    const { code, stdout } = await mullion(['doctor', '--json'], env)
    expect(code).toBe(3)
    const found = jsonLines(stdout).filter(({ kind }) => kind === 'finding')
    expect(found).toContainEqual(expect.objectContaining({ code: 'store-unopened', store: 'broken' }))
    expect(found.filter((finding) => finding['image'] === id)).toEqual([])
  })
})

describe('mullion doctor --fix', () => {
  it('removes data that no record names, and nothing else', async () => {
    const made = await patient()
    const { id } = await sound(made)
    await put(made, 'nobody', '12345')
    await put(made, 'young', '12345', new Date())
    const { code, found } = await findings(made, '--fix')
    expect(code).toBe(0)
    expect(found).toEqual([expect.objectContaining({ code: 'data-orphaned', size: 5, repair: 'done' })])
    expect((await files(made)).toSorted()).toEqual([id, 'young'].toSorted())
    expect(await findings(made)).toMatchObject({ code: 0, found: [] })
  })

  it('knows data that a record names in another form', async () => {
    const made = await patient()
    const image = await sound(made)
    const uri = image.locations[0]?.uri.replace('file://', 'filesystem://') ?? ''
    const { images } = await made.open()
    await images.update(image.id, { locations: [{ uri, metadata: {}, status: 'active' }] })
    expect(await findings(made, '--fix')).toMatchObject({ code: 0, found: [] })
  })

  it('leaves a store alone in which no record names anything, unless it is told so by name', async () => {
    const made = await patient()
    await put(made, 'nobody', '12345')
    const { code, found } = await findings(made, '--fix')
    expect(code).toBe(3)
    expect(found).toEqual([expect.objectContaining({ repair: 'refused' })])
    expect(await files(made)).toEqual(['nobody'])
    expect((await findings(made, '--fix=data-orphaned', '--store', 'file')).code).toBe(0)
    expect(await files(made)).toEqual([])
  })

  it('does only what was named', async () => {
    const made = await patient()
    await sound(made)
    await put(made, 'nobody', '12345')
    const { code, found } = await findings(made, '--fix=image-stalled,task-stalled')
    expect(code).toBe(3)
    expect(found).toEqual([expect.objectContaining({ code: 'data-orphaned', repair: 'possible' })])
  })

  it('kills an image in saving that nobody brings data to, and removes what was stored of it', async () => {
    const made = await patient()
    const pending = { uri: await put(made, 'half', 'half'), metadata: {}, status: 'pending' } as const
    const { images } = await made.open()
    const old = await images.insert(oldImage({}, { status: 'saving', writer: 'task.1', locations: [pending] }))
    const young = await images.insert(oldImage({}, { status: 'saving', writer: 'other.1', updatedAt: new Date() }))
    expect((await findings(made)).found).toEqual([
      expect.objectContaining({ code: 'image-stalled', image: old.id, repair: 'possible' }),
    ])
    expect((await findings(made, '--fix')).code).toBe(0)
    expect(await images.get(old.id)).toMatchObject({ status: 'killed', writer: undefined, locations: [] })
    expect(await images.get(young.id)).toMatchObject({ status: 'saving' })
    expect(await files(made)).toEqual([])
  })

  it('leaves an upload alone that takes longer than any grace', async () => {
    const made = await patient()
    const { images, tasks } = await made.open()
    const image = await images.insert(oldImage({}, { status: 'saving' }))
    const task = { kind: 'upload', id: crypto.randomUUID(), imageId: image.id, onFailure: 'kill' } as const
    const { token } = await tasks.begin(task, 'a-server')
    await images.update(image.id, { writer: token })
    expect(await findings(made, '--grace', '0', '--fix')).toMatchObject({ code: 0, found: [] })
    expect(await images.get(image.id)).toMatchObject({ status: 'saving' })
  })

  it('removes what a killed image announced, and nothing of an image whose data may still come', async () => {
    const made = await patient()
    const { images } = await made.open()
    const announced = async (name: string) =>
      [{ uri: await put(made, name, 'left'), metadata: {}, status: 'pending' }] as const
    const ids: Record<string, string> = {}
    for (const status of ['killed', 'queued', 'active'] as const) {
      const image = await images.insert(oldImage({ size: 0 }, { status, locations: await announced(status) }))
      ids[image.id] = status
    }
    const { code, found } = await findings(made, '--fix')
    expect(code).toBe(3)
    const told = found.map(({ image, code: what, repair }) => [ids[String(image)], what, repair])
    expect(new Set(told.map((one) => one.join(' ')))).toEqual(
      new Set(['active announced-stale none', 'killed announced-stale done', 'queued announced-stale none']),
    )
    expect((await files(made)).toSorted()).toEqual(['active', 'queued'])
  })

  it('ends what a scrubber should have done long ago', async () => {
    const made = await patient()
    const image = await sound(made)
    const { images } = await made.open()
    const locations = image.locations.map((location) => ({ ...location, status: 'pending_delete' }) as const)
    await images.update(image.id, { status: 'pending_delete', deletedAt: LONG_AGO, locations })
    database(made, `update images set updated_at = '${LONG_AGO.toISOString()}'`)
    const { code, found } = await findings(made, '--fix')
    expect(code).toBe(0)
    expect(found).toEqual([expect.objectContaining({ code: 'delete-overdue', image: image.id, repair: 'done' })])
    expect(await images.get(image.id)).toMatchObject({ status: 'deleted', locations: [] })
    expect(await files(made)).toEqual([])
  })

  it('ends uploads whose server died, gives back copies, and ends copies whose image is gone', async () => {
    const made = await patient()
    const { images, tasks } = await made.open()
    const [uploaded, copied, gone] = [
      await images.insert(oldImage({}, { status: 'saving' })),
      await images.insert(oldImage()),
      await images.insert(oldImage({}, { status: 'deleted', deletedAt: LONG_AGO })),
    ]
    const id = () => crypto.randomUUID()
    const upload = { kind: 'upload', id: id(), imageId: uploaded.id, onFailure: 'kill' } as const
    const { token } = await tasks.begin(upload, 'dead')
    await images.update(uploaded.id, { writer: token })
    for (const image of [copied, gone]) {
      await tasks.begin({ kind: 'copy', id: id(), imageId: image.id, uri: 'http://x/', store: undefined }, 'dead')
    }
    expect((await findings(made)).found).toEqual([])
    database(made, `update tasks set lease_until = '${LONG_AGO.toISOString()}'`)
    const { found } = await findings(made)
    expect(found.map(({ code, image }) => [code, image])).toEqual([
      ['task-stalled', uploaded.id],
      ['task-stalled', copied.id],
      ['task-orphaned', gone.id],
    ])
    expect((await findings(made, '--fix')).code).toBe(0)
    expect(await images.get(uploaded.id)).toMatchObject({ status: 'killed' })
    expect(await tasks.list()).toEqual([expect.objectContaining({ imageId: copied.id, held: undefined })])
  })
})

function database({ dir }: Installation, statement: string): void {
  const sqlite = new DatabaseSync(join(dir, 'registry.sqlite'))
  sqlite.exec(statement)
  sqlite.close()
}
