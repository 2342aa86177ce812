import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWithService } from '../../../../test/services/require.ts'
import { killAll, start } from '../process/server-process.ts'
import { cells, glance, type KeystoneUser, type Place, python } from './glanceclient.ts'

const ENV = [
  'GLANCE_CLIENT',
  'GLANCE_PYTHON',
  'KEYSTONE_AUTH_URL',
  'KEYSTONE_PROJECT',
  'KEYSTONE_USER',
  'KEYSTONE_PASSWORD',
  'KEYSTONE_PROJECT_ID',
  'KEYSTONE_PROJECT2',
  'KEYSTONE_USER2',
  'KEYSTONE_PASSWORD2',
  'KEYSTONE_ADMIN_USER',
  'KEYSTONE_ADMIN_PASSWORD',
  'KEYSTONE_ADMIN_PROJECT',
] as const
const FIELDS = `disk_format='raw', container_format='bare'`
const CLI_FIELDS = ['--disk-format', 'raw', '--container-format', 'bare'] as const

describeWithService(ENV, 'keystone.sh', 'python-glanceclient speaking v1, with a real Keystone', (settings) => {
  const bytes = randomBytes(300_001)
  const md5 = createHash('md5').update(bytes).digest('hex')
  let directory: string
  let file: string
  let demo: Place
  let other: Place
  let admin: Place
  let stranger: Place
  let otherProject: string

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'mullion-glance-keystone-'))
    file = join(directory, 'image.raw')
    writeFileSync(file, bytes)
    const authUrl = settings.KEYSTONE_AUTH_URL
    const { url } = await start({
      MULLION_DATA_DIR: join(directory, 'data'),
      MULLION_PIPELINE_FLAVOUR: 'keystone+cachemanagement',
      MULLION_KEYSTONE_URL: authUrl,
      MULLION_KEYSTONE_USER: settings.KEYSTONE_ADMIN_USER,
      MULLION_KEYSTONE_PASSWORD: settings.KEYSTONE_ADMIN_PASSWORD,
      MULLION_KEYSTONE_PROJECT: settings.KEYSTONE_ADMIN_PROJECT,
    })
    const place = (user: string, password: string, project: string): Place & { readonly user: KeystoneUser } => ({
      client: settings.GLANCE_CLIENT,
      python: settings.GLANCE_PYTHON,
      home: directory,
      url,
      user: { authUrl, user, password, project },
    })
    demo = place(settings.KEYSTONE_USER, settings.KEYSTONE_PASSWORD, settings.KEYSTONE_PROJECT)
    other = place(settings.KEYSTONE_USER2, settings.KEYSTONE_PASSWORD2, settings.KEYSTONE_PROJECT2)
    admin = place(settings.KEYSTONE_ADMIN_USER, settings.KEYSTONE_ADMIN_PASSWORD, settings.KEYSTONE_ADMIN_PROJECT)
    const { user: _none, ...nobody } = demo
    stranger = nobody
    otherProject = await python(other, `answer(auth.get_project_id(session.Session()))`)
  }, 120_000)
  afterAll(async () => {
    await killAll()
    rmSync(directory, { recursive: true })
  })

  const upload = (place: Place, name: string, more = '') =>
    python<{ id: string; owner: string; status: string }>(
      place,
      `answer(record(client.images.create(${FIELDS}, name=args[0], data=open(args[1], 'rb')${more})))`,
      name,
      file,
    )
  /** What a call is refused with, or its result. */
  const attempt = (place: Place, call: string, ...args: readonly string[]) =>
    python(
      place,
      `
try:
    answer(${call})
except exc.HTTPException as error:
    answer(error.code)`,
      ...args,
    )
  const download = `hashlib.md5(b''.join(client.images.data(args[0]))).hexdigest()`

  it('gives what is made to the project of the token', async () => {
    expect(await upload(demo, 'owned')).toMatchObject({ status: 'active', owner: settings.KEYSTONE_PROJECT_ID })
  })

  it('keeps private images from other projects, and from those without a token', async () => {
    const { id } = await upload(demo, 'private')
    expect(await attempt(demo, download, id)).toBe(md5)
    expect(await attempt(other, download, id)).toBe(404)
    expect(await attempt(other, `client.images.delete(args[0])`, id)).toBe(404)
    expect(await attempt(stranger, download, id)).toBe(401)
    expect(await attempt(admin, download, id)).toBe(md5)
  })

  it('lets nobody but an administrator make an image public, which all then see', async () => {
    const call = `client.images.create(${FIELDS}, name='p', is_public=True).id`
    expect(await attempt(demo, call)).toBe(403)
    const { id } = await upload(admin, 'public', ', is_public=True')
    expect(await attempt(other, download, id)).toBe(md5)
    expect(await attempt(other, `client.images.update(args[0], name='mine').id`, id)).toBe(403)
    expect(await attempt(other, `client.images.delete(args[0])`, id)).toBe(403)
  })

  it('lists for each their own, and for an administrator everything if asked', async () => {
    const mine = await upload(demo, 'listed')
    const theirs = await upload(other, 'listed')
    const list = (place: Place, more = '') =>
      python<string[]>(place, `answer([i.id for i in client.images.list(filters={'name': 'listed'}${more})])`)
    expect(await list(demo)).toEqual([mine.id])
    expect(await list(other)).toEqual([theirs.id])
    expect((await list(admin, ', is_public=None')).toSorted()).toEqual([mine.id, theirs.id].toSorted())
    expect(await list(demo, ', is_public=None')).toEqual([mine.id])
  })

  it('shares an image with another project, as a library', async () => {
    const { id } = await upload(demo, 'shared')
    const members = (place: Place) =>
      python(place, `answer([[m.member_id, m.can_share] for m in client.image_members.list(image=args[0])])`, id)
    await python(demo, `answer(client.image_members.create(args[0], args[1], can_share=True))`, id, otherProject)
    expect(await attempt(other, download, id)).toBe(md5)
    expect(await members(demo)).toEqual([[otherProject, true]])
    expect(
      await python(other, `answer([m.image_id for m in client.image_members.list(member=args[0])])`, otherProject),
    ).toContain(id)
    await python(
      demo,
      `answer(client.image_members.replace(args[0], [{'member_id': 'x'}, {'member_id': 'y', 'can_share': True}]))`,
      id,
    )
    expect(await members(demo)).toEqual([
      ['x', false],
      ['y', true],
    ])
    expect(await attempt(other, download, id)).toBe(404)
    await python(demo, `answer(client.image_members.delete(args[0], 'x'))`, id)
    expect(await members(demo)).toEqual([['y', true]])
  })

  describe('as a command', () => {
    const table = (text: string) => Object.fromEntries(cells(text).map(([name = '', value = '']) => [name, value]))

    it('does all it can do: images, members, downloads, lists of all tenants', { timeout: 180_000 }, async () => {
      const created = table(await glance(demo, 'image-create', '--name', 'by-hand', ...CLI_FIELDS, '--file', file))
      const id = created['id'] ?? ''
      expect(created).toMatchObject({ status: 'active', checksum: md5, owner: settings.KEYSTONE_PROJECT_ID })
      await expect(glance(other, 'image-show', id)).rejects.toMatchObject({ code: 1 })
      await glance(demo, 'member-create', id, otherProject, '--can-share')
      expect(cells(await glance(demo, 'member-list', '--image-id', id))).toContainEqual([id, otherProject, 'True'])
      expect(cells(await glance(other, 'member-list', '--tenant-id', otherProject))).toContainEqual([
        id,
        otherProject,
        'True',
      ])
      await glance(other, 'image-download', id, '--file', join(directory, 'back.raw'))
      expect(readFileSync(join(directory, 'back.raw')).equals(bytes)).toBe(true)
      await glance(demo, 'member-delete', id, otherProject)
      await expect(glance(other, 'image-show', id)).rejects.toMatchObject({ code: 1 })
      await glance(demo, 'image-update', id, '--name', 'renamed', '--property', 'os=linux', '--is-protected', 'True')
      expect(await glance(demo, 'image-delete', id)).toContain('403 Forbidden') // and ends with 0: so it was written
      await glance(demo, 'image-update', id, '--is-protected', 'False', '--purge-props')
      expect(cells(await glance(admin, 'image-list', '--all-tenants')).map(([first]) => first)).toContain(id)
      expect(cells(await glance(other, 'image-list')).map(([first]) => first)).not.toContain(id)
      await glance(demo, 'image-delete', id)
      await expect(glance(demo, 'image-show', id)).rejects.toMatchObject({ code: 1 })
    })
  })
})
