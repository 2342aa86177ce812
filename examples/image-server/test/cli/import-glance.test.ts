import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { installation, jsonLines, mullion } from './command-line.ts'
import { type Glance, glance } from './glance-installation.ts'
import { addRow, encrypted } from './glance-rows.ts'

const ID = '6355c82c-4d4f-43a4-9817-8f9aeb2bf0a4'
const SIZED = { id: ID, name: 'cirros', status: 'active', size: 4, disk_format: 'qcow2', container_format: 'bare' }

async function imported(from: Glance, id: string = ID) {
  return (await from.open()).images.get(id)
}

describe('mullion import-glance', () => {
  it('takes over an image with all that belongs to it', async () => {
    const from = await glance()
    addRow(from.database, 'images', {
      ...SIZED,
      visibility: 'community',
      virtual_size: 112,
      checksum: 'd41d8cd98f00b204e9800998ecf8427e',
      os_hash_algo: 'sha512',
      os_hash_value: 'ab'.repeat(64),
      min_disk: 1,
      min_ram: 2,
      owner: 'tenant',
      protected: 1,
    })
    const child = { image_id: ID }
    addRow(from.database, 'image_properties', { ...child, name: 'os', value: 'linux' })
    addRow(from.database, 'image_properties', { ...child, name: 'old', value: 'x', deleted: 1 })
    addRow(from.database, 'image_properties', { ...child, name: 'empty', value: null })
    addRow(from.database, 'image_tags', { ...child, value: 'a' })
    addRow(from.database, 'image_tags', { ...child, value: 'b', deleted: 1 })
    addRow(from.database, 'image_members', { ...child, member: 'guest', can_share: 0, status: 'accepted' })
    addRow(from.database, 'image_members', { ...child, member: 'friend', can_share: 1 })
    addRow(from.database, 'image_members', { ...child, member: 'former', can_share: 1, deleted: 1 })
    const uri = `file://${from.images}/${ID}`
    addRow(from.database, 'image_locations', { ...child, value: uri, meta_data: '{"store": "old", "mount": ["a"]}' })
    addRow(from.database, 'image_locations', { ...child, value: 'file:///old', status: 'deleted', deleted: 1 })

    const { code, stdout } = await from.importGlance()
    expect(stdout).toBe('1 added, 0 unchanged, 0 replaced, 0 kept, 0 not taken over; 0 findings\n')
    expect(code).toBe(0)
    expect(await imported(from)).toEqual({
      id: ID,
      name: 'cirros',
      status: 'active',
      writer: undefined,
      reason: undefined,
      visibility: 'community',
      owner: 'tenant',
      size: 4,
      virtualSize: 112,
      checksum: 'd41d8cd98f00b204e9800998ecf8427e',
      hashAlgorithm: 'sha512',
      hashValue: 'ab'.repeat(64),
      diskFormat: 'qcow2',
      containerFormat: 'bare',
      minDisk: 1,
      minRam: 2,
      protected: true,
      properties: new Map([
        ['os', 'linux'],
        ['empty', null],
      ]),
      tags: ['a'],
      locations: [{ uri, metadata: { store: 'file', mount: '["a"]' }, status: 'active' }],
      createdAt: new Date('2016-11-22T08:23:58.800Z'),
      updatedAt: new Date('2016-11-23T00:00:00.000Z'),
      deletedAt: undefined,
    })
    expect(await (await from.open()).members.list(ID)).toEqual([
      { imageId: ID, member: 'guest', canShare: false },
      { imageId: ID, member: 'friend', canShare: true },
    ])
  })

  it('knows the tables from before Ocata', async () => {
    const from = await glance('newton')
    addRow(from.database, 'images', { ...SIZED, id: 'open', is_public: 1 })
    addRow(from.database, 'images', { ...SIZED, id: 'closed', is_public: 0 })
    addRow(from.database, 'images', { ...SIZED, id: 'lent', is_public: 0 })
    addRow(from.database, 'image_members', { image_id: 'lent', member: 'guest' })
    expect(await from.importGlance()).toMatchObject({ code: 0 })
    expect((await imported(from, 'open')).visibility).toBe('public')
    expect((await imported(from, 'closed')).visibility).toBe('private')
    expect((await imported(from, 'lent')).visibility).toBe('shared')
  })

  it('takes over no image of a visibility that it does not know: nobody could find it; one that is deleted keeps its id', async () => {
    const from = await glance()
    addRow(from.database, 'images', { ...SIZED, id: 'odd', visibility: 'hidden' })
    addRow(from.database, 'images', { ...SIZED, id: 'gone', visibility: 'hidden', deleted: 1 })
    expect(await from.importGlance()).toMatchObject({
      code: 3,
      stdout:
        'visibility-unknown: image odd: the visibility "hidden" is not known\n' +
        '1 added, 0 unchanged, 0 replaced, 0 kept, 1 not taken over; 1 findings\n',
    })
    await expect(imported(from, 'odd')).rejects.toMatchObject({ code: 'not_found' })
    expect(await imported(from, 'gone')).toMatchObject({ status: 'deleted', visibility: 'private' })
  })

  it('finds a place for every status', async () => {
    const from = await glance()
    const statuses = ['queued', 'saving', 'uploading', 'importing', 'deactivated', 'killed']
    for (const status of statuses) addRow(from.database, 'images', { ...SIZED, id: status, status, size: 0 })
    addRow(from.database, 'images', { ...SIZED, id: 'gone', deleted: 1, deleted_at: '2017-01-01 00:00:00' })
    addRow(from.database, 'images', { ...SIZED, id: 'odd', status: 'odd' })
    addRow(from.database, 'images', { ...SIZED, id: 'late', status: 'pending_delete', deleted: 1 })
    const removed = { value: `file://${from.images}/late`, status: 'pending_delete', deleted: 1 }
    addRow(from.database, 'image_locations', { image_id: 'late', ...removed })
    addRow(from.database, 'image_properties', { image_id: 'gone', name: 'a', value: 'b' })

    const { code, stdout } = await from.importGlance()
    expect(code).toBe(3)
    expect(stdout).toBe(
      'status-unknown: image odd: the status "odd" is not known\n' +
        '8 added, 0 unchanged, 0 replaced, 0 kept, 1 not taken over; 1 findings\n',
    )
    const found = await Promise.all(statuses.map(async (status) => (await imported(from, status)).status))
    expect(found).toEqual(['queued', 'killed', 'queued', 'queued', 'deactivated', 'killed'])
    expect(await imported(from, 'queued')).toMatchObject({ size: undefined })
    expect(await imported(from, 'gone')).toMatchObject({
      status: 'deleted',
      deletedAt: new Date('2017-01-01T00:00:00Z'),
      properties: new Map(),
    })
    expect((await imported(from, 'late')).locations).toMatchObject([{ status: 'pending_delete' }])
    expect((await from.importGlance()).stdout).toContain('0 added, 8 unchanged')
  })

  it('keeps the id of a deleted image taken', async () => {
    const from = await glance()
    addRow(from.database, 'images', { ...SIZED, deleted: 1 })
    await from.importGlance()
    const { images } = await from.open()
    await expect(images.insert({ ...(await images.get(ID)), id: ID.toUpperCase() })).rejects.toMatchObject({
      code: 'already_exists',
    })
  })

  it('writes nothing with --dry-run, and never to the database of Glance', async () => {
    const from = await glance()
    addRow(from.database, 'images', SIZED)
    const before = await readFile(from.file)
    expect(await from.importGlance('--dry-run')).toMatchObject({ code: 0 })
    await expect(imported(from)).rejects.toMatchObject({ code: 'not_found' })
    await from.importGlance()
    expect((await readFile(from.file)).equals(before)).toBe(true)
  })

  it('says what data is missing or has another size with --verify', async () => {
    const from = await glance()
    for (const id of ['there', 'gone', 'short']) {
      addRow(from.database, 'images', { ...SIZED, id })
      addRow(from.database, 'image_locations', { image_id: id, value: `file://${from.images}/${id}`, meta_data: '{}' })
    }
    await writeFile(join(from.images, 'there'), '1234')
    await writeFile(join(from.images, 'short'), '123')
    const { code, stdout } = await from.importGlance('--verify', '--json')
    expect(code).toBe(3)
    const findings = jsonLines(stdout).filter(({ kind }) => kind === 'finding')
    expect(new Map(findings.map(({ code: which, image }) => [which, image]))).toEqual(
      new Map([
        ['data-missing', 'gone'],
        ['data-size', 'short'],
      ]),
    )
    expect(findings).toHaveLength(2)
  })

  it('says what no store serves, and takes the record over as it is', async () => {
    const from = await glance()
    addRow(from.database, 'images', SIZED)
    const value = 'cinder://user:hunter2@volume'
    addRow(from.database, 'image_locations', { image_id: ID, value, meta_data: '{}' })
    const { code, stdout } = await from.importGlance()
    expect(code).toBe(3)
    expect(stdout).toContain(`location-unserved: image ${ID}`)
    expect(stdout).not.toContain('hunter2')
    expect((await imported(from)).locations).toMatchObject([{ uri: value }])
  })

  it('rewrites the beginning of locations with --map-location, the longest that fits', async () => {
    const from = await glance()
    addRow(from.database, 'images', SIZED)
    const value = 'filesystem:///var/lib/glance/images/a=b'
    addRow(from.database, 'image_locations', { image_id: ID, value, meta_data: 'no json' })
    const { code } = await from.importGlance(
      '--map-location=filesystem:///=file:///nowhere/',
      `--map-location=filesystem:///var/lib/glance/images/=file://${from.images}/`,
    )
    expect(code).toBe(0)
    expect((await imported(from)).locations).toMatchObject([{ uri: `file://${from.images}/a=b` }])
  })

  it.each(['0123456789abcdef', '0123456789abcdef01234567', '0123456789abcdef0123456789abcdef'])(
    'opens encrypted locations with the key %s',
    async (key) => {
      const from = await glance()
      const uri = `file://${from.images}/${ID}`
      addRow(from.database, 'images', SIZED)
      addRow(from.database, 'image_locations', { image_id: ID, value: encrypted(key, uri), meta_data: '{}' })
      addRow(from.database, 'image_locations', { image_id: ID, value: uri, meta_data: '{}' })
      expect(await from.importGlance('--metadata-encryption-key', key)).toMatchObject({ code: 0 })
      expect((await imported(from)).locations.map((location) => location.uri)).toEqual([uri, uri])
    },
  )

  it('leaves out an image whose locations do not open, and says which', async () => {
    const from = await glance()
    const value = encrypted('0123456789abcdef', 'file:///a')
    addRow(from.database, 'images', SIZED)
    addRow(from.database, 'image_locations', { image_id: ID, value, meta_data: '{}' })
    for (const args of [[], ['--metadata-encryption-key', 'fedcba9876543210']]) {
      const { code, stdout } = await from.importGlance(...args)
      expect(code).toBe(3)
      expect(stdout).toContain(`location-unreadable: image ${ID}`)
      expect(stdout).toContain('1 not taken over')
    }
    await expect(imported(from)).rejects.toMatchObject({ code: 'not_found' })
    expect(await from.importGlance('--metadata-encryption-key', 'short')).toMatchObject({ code: 2 })
  })

  it('goes on behind a record that is there with other values, and says so', async () => {
    const from = await glance()
    addRow(from.database, 'images', SIZED)
    await from.importGlance()
    from.database.exec(`update images set name = 'renamed'`)
    addRow(from.database, 'images', { ...SIZED, id: 'later' })
    const again = await from.importGlance()
    expect(again.code).toBe(3)
    expect(again.stdout).toContain(`record-refused: image ${ID}`)
    expect(again.stdout).toContain('1 added')
    expect((await from.importGlance('--on-conflict', 'replace')).stdout).toContain('1 replaced')
    expect(await imported(from)).toMatchObject({ name: 'renamed' })
  })

  it('says what has no place here', async () => {
    const from = await glance()
    addRow(from.database, 'images', { ...SIZED, os_hidden: 1 })
    addRow(from.database, 'image_members', { image_id: ID, member: 'guest', status: 'rejected' })
    const { code, stdout } = await from.importGlance()
    expect(code).toBe(3)
    expect(stdout.match(/value-lost/g)).toHaveLength(2)
    expect(stdout).toContain('1 added')
  })

  it('reads more images than a page holds, in whichever order they come', async () => {
    const from = await glance()
    from.database.exec('begin')
    for (let number = 0; number < 401; number += 1) {
      addRow(from.database, 'images', { ...SIZED, id: `image-${number}` })
      addRow(from.database, 'image_tags', { image_id: `image-${number}`, value: `tag-${number}` })
    }
    from.database.exec('commit')
    expect((await from.importGlance('--dry-run')).stdout).toContain('401 added')
  })

  it('takes the URL from the environment or a file, to keep it off the command line', async () => {
    const from = await glance()
    const env = { ...from.env, GLANCE_DATABASE: from.url }
    expect(await mullion(['import-glance', 'env:GLANCE_DATABASE'], env)).toMatchObject({ code: 0 })
    await writeFile(join(from.dir, 'url'), `${from.url}\n`)
    expect(await from.run('import-glance', `file:${join(from.dir, 'url')}`)).toMatchObject({ code: 0 })
  })

  it.each([
    ['oracle://user:hunter2@host/glance', 'expected mysql+pymysql://'],
    ['mysql+pymysql://user:hunter2@host', 'expected …://user:password@host'],
    ['sqlite://', 'expected sqlite:////'],
    ['sqlite:////nowhere/glance.sqlite', 'unable to open database file'],
    ['mysql+pymysql://user:hunter2@127.0.0.1:1/glance', 'ECONNREFUSED'],
  ])('refuses %s in one line, without the password', async (url, message) => {
    const made = await installation()
    const { code, stderr } = await made.run('import-glance', url)
    expect(code).toBe(1)
    expect(stderr).toContain(message)
    expect(stderr).not.toContain('hunter2')
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  })

  it('refuses a database that is no Glance', async () => {
    const made = await installation()
    const { code, stderr } = await made.run('import-glance', `sqlite:///${join(made.dir, 'registry.sqlite')}`)
    expect(code).toBe(1)
    expect(stderr).toContain('is one of mullion')
  })
})
