import { createStores, memory } from 'mullion'
import { cleanAnnounced, type CopyTask, type UploadTask } from 'mullion/images'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openRegistry, type SqlConfig, type SqlRegistry } from '@mullion/sql'
import { everything, IDS, image, rejects } from './contract/ports.ts'

const [ID, OTHER] = IDS
const LOST = { id: 'lost', key: Buffer.alloc(32, 1).toString('base64') }
const KEY = { id: 'here', key: Buffer.alloc(32, 2).toString('base64') }
const SECRET = 'hunter2hunter2'
const ACTIVE = { uri: `s3://user:${SECRET}@bucket/key`, metadata: { store: 's' }, status: 'active' } as const
const PENDING = { uri: 'file:///announced', metadata: {}, status: 'pending' } as const
const HIDDEN = [
  { uri: 'sealed:unreadable#1', metadata: {}, status: 'active' },
  { uri: 'sealed:unreadable#2', metadata: {}, status: 'pending' },
]
const UPLOAD: UploadTask = { kind: 'upload', id: 'u', imageId: ID, onFailure: 'requeue' }

const copy = (id: string): CopyTask => ({
  kind: 'copy',
  id,
  imageId: ID,
  uri: `https://user:${SECRET}@host/`,
  store: undefined,
})

export interface Place {
  config(): SqlConfig
  /** Past the library. */
  sql(text: string): unknown
  /** Forgets every record. */
  empty(): unknown
}

/** What is kept when a key is lost: all that was not sealed under it. */
export function describeUnreadable({ config, sql, empty }: Place): void {
  const logged: (readonly [string, unknown])[] = []

  async function filled(fill: (registry: SqlRegistry) => Promise<void>): Promise<SqlRegistry> {
    await using before = await openRegistry({ ...config(), encryptionKeys: [LOST] })
    await empty()
    await fill(before)
    logged.length = 0
    const log = (message: string, fields?: unknown): void => void logged.push([message, fields])
    const after = await openRegistry({ ...config(), encryptionKeys: [KEY] }, { log })
    onTestFinished(() => after.close())
    return after
  }

  describe('a task that cannot be read', () => {
    it('is passed by, stays where it is, and is told once', async () => {
      const { tasks } = await filled(async (before) => {
        for (const id of ['a', 'b', 'c']) await before.tasks.enqueue(copy(id))
        await before.tasks.claim('gone', 'copy')
        await before.tasks.release('gone')
      })
      expect(await tasks.claim('w', 'copy')).toBeUndefined()
      await tasks.enqueue(copy('d'))
      expect((await tasks.claim('w', 'copy'))?.task).toEqual(copy('d'))
      expect(await tasks.claim('w', 'copy')).toBeUndefined()
      expect((await tasks.list()).map(({ id, held }) => [id, held?.worker])).toEqual([
        ['a', undefined],
        ['b', undefined],
        ['c', undefined],
        ['d', 'w'],
      ])
      expect(logged).toEqual(
        ['a', 'b', 'c'].map((id) => [
          'task cannot be read',
          {
            id,
            error: `encryptionKeys: task of image ${ID} is encrypted with key "lost", which is not configured`,
          },
        ]),
      )
    })

    it('does not keep one behind it from being claimed when there are more than are remembered', async () => {
      const { tasks } = await filled((before) => before.tasks.enqueue(copy('a')))
      await sql(`insert into tasks (id, kind, image_id, payload, status, created_at, attempts)
        with recursive n (x) as (select 1 union all select x + 1 from n where x < 1000)
        select concat('t', x), kind, image_id, payload, status, created_at, attempts from n, tasks`)
      await tasks.enqueue(copy('z'))
      expect((await tasks.claim('w', 'copy'))?.task).toEqual(copy('z'))
      expect(logged).toHaveLength(1000)
    }, 30_000)

    it('is done by a server that has the key', async () => {
      const { tasks } = await filled((before) => before.tasks.enqueue(copy('a')))
      expect(await tasks.claim('w', 'copy')).toBeUndefined()
      await using other = await openRegistry({ ...config(), encryptionKeys: [KEY, LOST] })
      expect((await other.tasks.claim('v', 'copy'))?.task).toEqual(copy('a'))
    })

    it('is none when it is an upload: how it ends is no secret', async () => {
      const { tasks } = await filled(async (before) => void (await before.tasks.begin(UPLOAD, 'dead')))
      await tasks.release('dead')
      expect((await tasks.claim('w', 'upload'))?.task).toEqual(UPLOAD)
    })

    it('kills the image of an upload that was sealed', async () => {
      const { tasks } = await filled(async (before) => {
        await before.tasks.enqueue(copy('a'))
        await before.tasks.enqueue(UPLOAD)
      })
      await sql(`update tasks set kind = 'upload' where id = 'a'`)
      expect((await tasks.claim('w', 'upload'))?.task).toEqual({ ...UPLOAD, id: 'a', onFailure: 'kill' })
      expect((await tasks.claim('w', 'upload'))?.task).toEqual(UPLOAD)
    })
  })

  describe('an image whose location cannot be opened', () => {
    const made = () =>
      filled(async ({ images }) => {
        await images.insert(image({ name: 'sealed', locations: [ACTIVE, PENDING] }))
        await images.insert(image({ id: OTHER, name: 'bare' }))
      })

    it('is in lists, without its locations, and is told once', async () => {
      const { images } = await made()
      for (let round = 0; round < 2; round += 1) {
        const listed = await images.list(everything({ sortKey: 'id', sortDirection: 'asc' }))
        expect(listed.map(({ name, locations }) => [name, locations])).toEqual([
          ['sealed', HIDDEN],
          ['bare', []],
        ])
      }
      expect((await images.list(everything({ filters: { locationStatus: 'pending' } }))).map(({ id }) => id)).toEqual([
        ID,
      ])
      expect(logged).toEqual([
        ['location of an image cannot be read', { id: ID, error: expect.stringContaining('"lost"') }],
      ])
    })

    it('is refused when it is asked for by its id, or would be changed', async () => {
      const { images } = await made()
      await rejects(images.get(ID), 'invalid_config')
      await rejects(images.update(ID, { name: 'x' }), 'invalid_config')
      await rejects(images.update(ID, { locations: [] }), 'invalid_config')
      expect((await images.list(everything())).map(({ name }) => name)).toContain('sealed')
    })

    it('lends its hidden locations to no record', async () => {
      const { images } = await made()
      const [found] = await images.list(everything({ filters: { locationStatus: 'active' } }))
      const locations = found?.locations ?? []
      for (const id of [ID, OTHER]) await rejects(images.update(id, { locations }), 'invalid_argument')
      await rejects(images.insert(image({ id: IDS[2], locations })), 'invalid_argument')
    })

    it('loses none of its data to who removes what was announced', async () => {
      const { images } = await made()
      const [found] = await images.list(everything({ filters: { locationStatus: 'pending' } }))
      if (!found) throw new Error('expected an image')
      await using stores = await createStores({ stores: { memory: memory() }, default: 'memory' })
      expect((await cleanAnnounced({ stores }, found)).locations).toEqual(HIDDEN)
    })
  })
}
