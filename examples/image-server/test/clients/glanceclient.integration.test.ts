import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeWithService } from '../../../../test/services/require.ts'
import { filesBelow } from '../process/client.ts'
import { type ServerProcess, killAll, start } from '../process/server-process.ts'
import { slowOrigin, type SlowOrigin } from '../process/slow-origin.ts'
import { cells, glance, type Place, python } from './glanceclient.ts'

interface Record {
  readonly id: string
  readonly name: string
  readonly status: string
  readonly size: number
  readonly checksum: string | null
  readonly is_public: boolean
  readonly properties: { readonly [name: string]: string }
}

const FIELDS = `disk_format='raw', container_format='bare'`
const CLI_FIELDS = ['--disk-format', 'raw', '--container-format', 'bare'] as const

describeWithService(
  ['GLANCE_CLIENT', 'GLANCE_PYTHON'],
  'glanceclient.sh',
  'python-glanceclient speaking v1',
  (settings) => {
    const bytes = randomBytes(1_000_003)
    const md5 = createHash('md5').update(bytes).digest('hex')
    let directory: string
    let file: string
    let origin: SlowOrigin
    let server: ServerProcess
    let place: Place

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'mullion-glance-'))
      file = join(directory, 'image.raw')
      writeFileSync(file, bytes)
      origin = await slowOrigin(bytes)
      origin.open()
      server = await start({ MULLION_DATA_DIR: join(directory, 'data'), ...origin.env })
      place = { client: settings.GLANCE_CLIENT, python: settings.GLANCE_PYTHON, home: directory, url: server.url }
    })
    afterAll(async () => {
      await killAll()
      await origin.close()
      rmSync(directory, { recursive: true })
    })

    describe('as a library', () => {
      const create = (more: string, ...args: readonly string[]) =>
        python<Record>(place, `answer(record(client.images.create(${FIELDS}, ${more})))`, ...args)
      const show = (id: string) => python<Record>(place, `answer(record(client.images.get(args[0])))`, id)

      it('uploads, and downloads the same bytes', async () => {
        const created = await create(`name='uploaded', properties={'os': 'linux'}, data=open(args[0], 'rb')`, file)
        expect(created).toMatchObject({
          status: 'active',
          size: bytes.length,
          checksum: md5,
          properties: { os: 'linux' },
        })
        const digest = `answer(hashlib.md5(b''.join(client.images.data(args[0]))).hexdigest())`
        expect(await python(place, digest, created.id)).toBe(md5)
      })

      it('has an image copied by the server', async () => {
        const { id, status } = await create(`name='copied', copy_from=args[0]`, origin.url)
        expect(status).toBe('queued')
        const wait = `
image = client.images.get(args[0])
while image.status in ('queued', 'saving'):
    time.sleep(0.05)
    image = client.images.get(args[0])
answer(record(image))`
        expect(await python(place, wait, id)).toMatchObject({ status: 'active', size: bytes.length, checksum: md5 })
      })

      it('registers an image that stays where it is', async () => {
        const before = filesBelow(join(directory, 'data', 'images'))
        const created = await create(`name='registered', location=args[0]`, origin.url)
        expect(created).toMatchObject({ status: 'active', size: bytes.length })
        expect(filesBelow(join(directory, 'data', 'images'))).toEqual(before)
        const digest = `answer(hashlib.md5(b''.join(client.images.data(args[0]))).hexdigest())`
        expect(await python(place, digest, created.id)).toBe(md5)
      })

      it('reserves an image and sends its data later', async () => {
        const { id, status } = await create(`name='reserved'`)
        expect(status).toBe('queued')
        const update = `answer(record(client.images.update(args[0], data=open(args[1], 'rb'))))`
        expect(await python(place, update, id, file)).toMatchObject({ status: 'active', checksum: md5 })
      })

      it('changes an image, and drops properties only when it says so', async () => {
        const { id } = await create(`name='old', properties={'a': '1', 'b': '2'}`)
        await python(place, `answer(record(client.images.update(args[0], name='new', properties={'b': '3'})))`, id)
        expect(await show(id)).toMatchObject({ name: 'new', properties: { a: '1', b: '3' } })
        await python(
          place,
          `answer(record(client.images.update(args[0], properties={'b': '3'}, purge_props=True)))`,
          id,
        )
        expect((await show(id)).properties).toEqual({ b: '3' })
      })

      it('lists page by page, by name and by property', async () => {
        const ids = await Promise.all(
          [1, 2, 3].map(async () => (await create(`name='paged', properties={'page': 'me'}`)).id),
        )
        const list = (filters: string) =>
          python<string[]>(place, `answer([i.id for i in client.images.list(is_public=None, ${filters})])`)
        expect((await list(`page_size=1, filters={'name': 'paged'}`)).toSorted()).toEqual(ids.toSorted())
        expect(await list(`filters={'properties': {'page': 'me'}}`)).toHaveLength(3)
        expect(await list(`filters={'name': 'nobody'}`)).toEqual([])
      })

      it('deletes an image, which then cannot be found', async () => {
        const before = filesBelow(join(directory, 'data', 'images'))
        const { id } = await create(`name='short-lived', data=open(args[0], 'rb')`, file)
        const remove = `
client.images.delete(args[0])
try:
    client.images.data(args[0])
    answer('there')
except exc.HTTPNotFound:
    answer('gone')`
        expect(await python(place, remove, id)).toBe('gone')
        expect(filesBelow(join(directory, 'data', 'images')).toSorted()).toEqual(before.toSorted())
      })
    })

    describe('as a command', () => {
      /** A table of properties and values as a record. */
      const table = (text: string) => Object.fromEntries(cells(text).map(([name = '', value = '']) => [name, value]))

      it('uploads, shows, lists, updates, downloads and deletes', async () => {
        const created = table(
          await glance(
            place,
            'image-create',
            '--name',
            'by-hand',
            ...CLI_FIELDS,
            '--is-public',
            'True',
            '--file',
            file,
          ),
        )
        expect(created).toMatchObject({ status: 'active', checksum: md5, is_public: 'True' })
        const id = created['id'] ?? ''
        expect(table(await glance(place, 'image-show', id))).toMatchObject({
          name: 'by-hand',
          size: String(bytes.length),
        })
        expect(cells(await glance(place, 'image-list')).map(([first]) => first)).toContain(id)
        await glance(place, 'image-update', id, '--name', 'renamed', '--property', 'os=linux')
        expect(table(await glance(place, 'image-show', id))).toMatchObject({
          name: 'renamed',
          "Property 'os'": 'linux',
        })
        await glance(place, 'image-download', id, '--file', join(directory, 'back.raw'))
        expect(readFileSync(join(directory, 'back.raw')).equals(bytes)).toBe(true)
        await glance(place, 'image-delete', id)
        // everybody is an administrator here, and those see deleted images (Images v1, visibility)
        expect(table(await glance(place, 'image-show', id))).toMatchObject({ status: 'deleted', deleted: 'True' })
        await expect(glance(place, 'image-download', id, '--file', file)).rejects.toMatchObject({ code: 1 })
      })

      it('registers and copies from another server, and reserves', async () => {
        const make = async (...args: readonly string[]) =>
          table(await glance(place, 'image-create', '--name', 'other', ...CLI_FIELDS, ...args))
        expect(await make('--location', origin.url)).toMatchObject({ status: 'active', size: String(bytes.length) })
        expect(await make('--copy-from', origin.url)).toMatchObject({ status: 'queued' })
        expect(await make()).toMatchObject({ status: 'queued' })
      })

      it('is told why it is refused', async () => {
        const bad = glance(
          place,
          'image-create',
          '--name',
          'odd',
          '--disk-format',
          'floppy',
          '--container-format',
          'bare',
        )
        await expect(bad).rejects.toMatchObject({
          stderr: expect.stringContaining("Invalid disk format 'floppy'") as string,
        })
        const local = glance(place, 'image-create', '--name', 'odd', ...CLI_FIELDS, '--location', 'file:///etc/passwd')
        await expect(local).rejects.toMatchObject({
          stderr: expect.stringContaining('External sources are not supported') as string,
        })
      })
    })
  },
)
