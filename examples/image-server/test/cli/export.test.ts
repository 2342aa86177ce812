import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Installation, installation, jsonLines, mullion } from './command-line.ts'
import { oldImage, oneOfEach } from './images.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const OTHER_KEY = Buffer.alloc(32, 8).toString('base64')
const MEMBERS = [
  { member: 'guest', canShare: false },
  { member: 'friend', canShare: true },
]

async function filled(): Promise<Installation> {
  const from = await installation()
  const { images, members } = await from.open()
  for (const image of Object.values(oneOfEach())) {
    await images.insert(image)
    if (image.name === 'everything') await members.replace(image.id, MEMBERS)
  }
  return from
}

async function moved(from: Installation, to: Installation, ...args: readonly string[]) {
  const file = join(to.dir, `${crypto.randomUUID()}.jsonl`)
  expect(await from.run('export', '--with-secrets', '-o', file)).toMatchObject({ code: 0 })
  return to.run('import', file, ...args)
}

describe('mullion export and import', () => {
  it('carry every record over as it is, deleted ones and members included', async () => {
    const from = await filled()
    const to = await installation()
    expect(await moved(from, to)).toMatchObject({ code: 0, stdout: '6 added, 0 unchanged, 0 replaced, 0 kept\n' })
    const [before, after] = [await from.open(), await to.open()]
    const query = {
      scope: { kind: 'all' },
      filters: {},
      includeDeleted: true,
      sortKey: 'id',
      sortDirection: 'asc',
      limit: 100,
    } as const
    const images = await after.images.list(query)
    expect(images).toHaveLength(6)
    expect(images).toEqual(await before.images.list(query))
    const shared = images.find(({ name }) => name === 'everything')
    expect(await after.members.list(shared?.id ?? '')).toEqual(
      MEMBERS.map((member) => ({ imageId: shared?.id, ...member })),
    )
  })

  it('run again without changing anything', async () => {
    const from = await filled()
    const to = await installation()
    await moved(from, to)
    expect(await moved(from, to)).toMatchObject({ code: 0, stdout: '0 added, 6 unchanged, 0 replaced, 0 kept\n' })
  })

  it('say what would happen and write nothing with --dry-run', async () => {
    const from = await filled()
    const to = await installation()
    expect(await moved(from, to, '--dry-run')).toMatchObject({
      code: 0,
      stdout: 'would be: 6 added, 0 unchanged, 0 replaced, 0 kept\n',
    })
    expect(await moved(from, to, '--json').then(({ stdout }) => jsonLines(stdout))).toEqual([
      { kind: 'summary', dryRun: false, added: 6, unchanged: 0, replaced: 0, kept: 0 },
    ])
  })
})

describe('mullion import of a record that is there with other values', () => {
  async function conflicting(): Promise<[Installation, Installation, string]> {
    const [from, to] = [await installation(), await installation()]
    const image = oldImage({ name: 'theirs', properties: new Map([['a', 'theirs']]) })
    await (await from.open()).images.insert(image)
    await (await from.open()).members.replace(image.id, MEMBERS)
    await (await to.open()).images.insert({ ...image, name: 'ours', properties: new Map([['b', 'ours']]) })
    return [from, to, image.id]
  }

  it('fails and names it', async () => {
    const [from, to, id] = await conflicting()
    expect(await moved(from, to)).toEqual({
      code: 1,
      stdout: '',
      stderr: `mullion: image ${id}: is there with other values (see --on-conflict)\n`,
    })
  })

  it('keeps it with --on-conflict skip', async () => {
    const [from, to, id] = await conflicting()
    expect((await moved(from, to, '--on-conflict', 'skip')).stdout).toContain('1 kept')
    expect(await (await to.open()).images.get(id)).toMatchObject({ name: 'ours' })
  })

  it('makes it the same with --on-conflict replace', async () => {
    const [from, to, id] = await conflicting()
    expect((await moved(from, to, '--on-conflict', 'replace')).stdout).toContain('1 replaced')
    const { images, members } = await to.open()
    expect(await images.get(id)).toMatchObject({ name: 'theirs', properties: new Map([['a', 'theirs']]) })
    expect(await members.list(id)).toHaveLength(2)
    expect((await moved(from, to)).stdout).toContain('1 unchanged')
  })

  it('never brings back an id that was deleted', async () => {
    const [from, to, id] = await conflicting()
    await (await to.open()).images.update(id, { status: 'deleted' })
    expect(await moved(from, to, '--on-conflict', 'replace')).toMatchObject({ code: 1 })
    expect(await (await to.open()).images.get(id)).toMatchObject({ status: 'deleted' })
  })

  it('never makes a second record of one UUID in other letters', async () => {
    const [from, to] = [await installation(), await installation()]
    const image = oldImage({ id: 'aaaaaaaa-1111-4111-8111-111111111111' })
    await (await from.open()).images.insert(image)
    await (await to.open()).images.insert({ ...image, id: image.id.toUpperCase() })
    expect((await moved(from, to, '--on-conflict', 'skip')).stderr).toContain('another spelling')
  })
})

describe('an upload that was under way', () => {
  it('is over where the record arrives, and its announced place stays known', async () => {
    const [from, to] = [await installation(), await installation()]
    const pending = { uri: 'file:///x/y', metadata: {}, status: 'pending' } as const
    const saving = oldImage({}, { status: 'saving', writer: 'somebody.1', locations: [pending] })
    const importing = oldImage({}, { status: 'importing' })
    for (const image of [saving, importing]) await (await from.open()).images.insert(image)
    await moved(from, to)
    const { images } = await to.open()
    expect(await images.get(saving.id)).toMatchObject({ status: 'killed', writer: undefined, locations: [pending] })
    expect(await images.get(importing.id)).toMatchObject({ status: 'queued' })
    expect((await moved(from, to)).stdout).toContain('2 unchanged')
  })
})

describe('locations in an export', () => {
  it('are refused as plain text unless --with-secrets says so', async () => {
    const from = await filled()
    const { code, stdout, stderr } = await from.run('export')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('--with-secrets')
    expect((await from.run('export', '--with-secrets')).stdout).toContain('https://user:secret@web/x')
  })

  it('are sealed under the first key, and open under the same key only', async () => {
    const from = await filled()
    const file = join(from.dir, 'sealed.jsonl')
    const keys = { MULLION_REGISTRY_ENCRYPTION_KEYS: `new=${KEY}` }
    expect(await mullion(['export', '-o', file], { ...from.env, ...keys })).toMatchObject({ code: 0 })
    const content = await readFile(file, 'utf8')
    expect(content).toContain('v1:new:')
    expect(content).not.toContain('secret')
    expect((await stat(file)).mode & 0o777).toBe(0o600)

    const to = await installation(keys)
    expect(await to.run('import', file)).toMatchObject({ code: 0 })
    const id = Object.values(jsonLines(content)).find(({ name }) => name === 'everything')?.['id'] as string
    const wrong = await mullion(['import', file], {
      MULLION_DATA_DIR: (await installation()).dir,
      MULLION_REGISTRY_ENCRYPTION_KEYS: `new=${OTHER_KEY}`,
    })
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toContain('not authentic')
    const exported = await to.run('export', '--with-secrets')
    expect(jsonLines(exported.stdout).find((line) => line['id'] === id)?.['locations']).toContainEqual(
      expect.objectContaining({ uri: 'plain:https://user:secret@web/x' }),
    )
  })
})

describe('a file', () => {
  it('that is there is not written over without --force', async () => {
    const from = await filled()
    const file = join(from.dir, 'there')
    await writeFile(file, 'mine')
    expect(await from.run('export', '--with-secrets', '-o', file)).toMatchObject({ code: 2 })
    expect(await readFile(file, 'utf8')).toBe('mine')
    expect(await from.run('export', '--with-secrets', '-o', file, '--force')).toMatchObject({ code: 0 })
    expect((await readFile(file, 'utf8')).split('\n')[0]).toContain('mullion-records')
  })

  it('is not there when an export fails', async () => {
    const from = await installation({ MULLION_REGISTRY_ENCRYPTION_KEYS: `a=${KEY}` })
    const { openRegistry } = await import('@mullion/sql')
    const registry = await openRegistry({
      file: join(from.dir, 'registry.sqlite'),
      encryptionKeys: [{ id: 'lost', key: OTHER_KEY }],
    })
    await registry.images.insert(oneOfEach()['full'] ?? oldImage())
    await registry.close()
    const file = join(from.dir, 'export.jsonl')
    const { code, stderr } = await from.run('export', '-o', file)
    expect(code).toBe(1)
    expect(stderr).toContain('"lost"')
    await expect(stat(file)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('that was cut off is refused', async () => {
    const from = await filled()
    const { stdout } = await from.run('export', '--with-secrets')
    const to = await installation()
    const cut = stdout.split('\n').slice(0, 4).join('\n')
    expect((await mullion(['import', '-'], to.env, cut)).stderr).toContain('was cut off')
    const lines = stdout.trimEnd().split('\n')
    const hole = [...lines.slice(0, 2), ...lines.slice(3)].join('\n')
    expect((await mullion(['import', '-'], to.env, hole)).stderr).toContain('6 records were written to it, 5 are there')
    expect((await mullion(['import', '-'], to.env, stdout)).code).toBe(0)
  })

  it.each([
    ['', 'was cut off'],
    ['{"format":"mullion-records","version":2}\n', 'has version 2'],
    ['{"kind":"image"}\n', 'is no export'],
    ['not json, password=hunter2\n', 'line 1: is no JSON'],
    ['{"format":"mullion-records","version":1}\n{"kind":"image","id":"x","secret":"hunter2"}\n', 'line 2'],
  ])('that is no export is refused, with the line and without its content: %s', async (content, message) => {
    const to = await installation()
    const { code, stderr } = await mullion(['import', '-'], to.env, content)
    expect(code).toBe(1)
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('hunter2')
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  it('that does not exist is named', async () => {
    const to = await installation()
    const { code, stderr } = await to.run('import', join(to.dir, 'nothing'))
    expect(code).toBe(1)
    expect(stderr).toMatch(/ENOENT.*nothing/)
  })
})
