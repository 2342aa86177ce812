import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { jsonLines, mullion } from './command-line.ts'
import { files, findings, patient, put, sound } from './patient.ts'

describe('mullion doctor --fix, where the stores were configured anew,', () => {
  it.each([
    ['the store was moved to another directory', (id: string) => `file:///old/${id}`],
    ['nothing says what the place was called', () => 'rbd://fsid/pool/disk/snap'],
    ['a copy took a second attempt', (id: string) => `file:///old/${id}.2`],
  ])('keeps the data of an image whose location no store recognises: %s', async (_, uriOf) => {
    const made = await patient()
    const lost = await sound(made)
    await sound(made)
    const uri = uriOf(lost.id)
    await put(made, `${lost.id}.2`, 'data')
    await put(made, 'nobody', '12345')
    const { images } = await made.open()
    await images.update(lost.id, { locations: [{ uri, metadata: { store: 'file' }, status: 'active' }] })
    const { code, found } = await findings(made, '--fix')
    expect(code).toBe(3)
    expect(found.map((finding) => [finding['code'], finding['repair']])).toEqual([
      ['location-unserved', 'none'],
      ['data-orphaned', 'done'],
    ])
    expect(await files(made)).toEqual(expect.arrayContaining([lost.id, `${lost.id}.2`]))
    expect(await files(made)).not.toContain('nobody')
  })

  it('keeps data that a record calls by the form of RBD without a pool', async () => {
    const made = await patient()
    await sound(made)
    await put(made, 'disk', 'data')
    await sound(made, { locations: [{ uri: 'rbd://disk', metadata: {}, status: 'active' }] })
    await findings(made, '--fix')
    expect(await files(made)).toContain('disk')
  })

  it('keeps data whose name is the last part of a location that no store recognises', async () => {
    const made = await patient()
    await sound(made)
    await put(made, 'debian-12.img', 'data')
    await sound(made, { locations: [{ uri: 'file:///old/debian%2D12.img', metadata: {}, status: 'active' }] })
    await findings(made, '--fix')
    expect(await files(made)).toContain('debian-12.img')
  })

  it('removes no data under the id of an image that is not deleted, wherever its record says the data is', async () => {
    const made = await patient()
    await sound(made)
    const { id, locations } = await sound(made)
    await put(made, `${id}.2`, 'data')
    const { images } = await made.open()
    const moved = locations.map((location) => ({ ...location, uri: 'http://elsewhere.invalid/disk', metadata: {} }))
    await images.update(id, { locations: moved })
    const { found } = await findings(made, '--store', 'file', '--fix')
    const refusal = `image ${id} is not deleted`
    expect(found).toEqual([
      expect.objectContaining({ code: 'data-orphaned', refusal }),
      expect.objectContaining({ code: 'data-orphaned', refusal }),
    ])
    await images.update(id, { status: 'deleted', locations: [] })
    expect((await findings(made, '--store', 'file', '--fix')).summary).toMatchObject({ findings: 2, repaired: 2 })
  })

  it('keeps all data when two stores reach one place by different names', async () => {
    const made = await patient()
    const config = join(made.dir, 'mullion.toml')
    await symlink(join(made.dir, 'images'), join(made.dir, 'link'))
    await writeFile(config, `[stores.other]\ntype = "file"\ndir = "${join(made.dir, 'link')}"\n`)
    const [first, second] = [await sound(made), await sound(made)]
    const disk = await put(made, 'disk', 'data')
    const third = await sound(made, { locations: [{ uri: disk, metadata: {}, status: 'active' }] })
    const { images } = await made.open()
    const uri = `file://${made.dir}/link/${second.id}`
    await images.update(second.id, { locations: [{ uri, metadata: { store: 'other' }, status: 'active' }] })
    const { stdout } = await mullion(['doctor', '--json', '--fix'], { ...made.env, MULLION_CONFIG: config })
    const found = jsonLines(stdout).filter(({ kind }) => kind === 'finding')
    expect(found.filter(({ repair }) => repair === 'done')).toEqual([])
    expect((await files(made)).toSorted()).toEqual([first.id, second.id, third.id, 'disk'].toSorted())
  })
})
