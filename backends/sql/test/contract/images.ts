import assert from 'node:assert/strict'
import type { Image, ImageLocation } from 'mullion/images'
import { IDS, idsOf, everything, image, type RegistryCase, rejects } from './ports.ts'

const ID = IDS[0]
const DATA: ImageLocation = { uri: 'file:///images/1', metadata: { store: 'fast' }, status: 'active' }
const COPY: ImageLocation = { uri: 's3://user:secret@bucket/1', metadata: {}, status: 'active' }

const FULL: Image = image({
  name: 'täglich ☃ 𝄞',
  status: 'saving',
  writer: 'task.1',
  reason: 'why',
  visibility: 'community',
  owner: 'tenant',
  size: 2 ** 53 - 1,
  virtualSize: 0,
  checksum: 'd41d8cd98f00b204e9800998ecf8427e',
  hashAlgorithm: 'sha512',
  hashValue: 'cf83',
  diskFormat: 'qcow2',
  containerFormat: 'bare',
  minDisk: 3,
  minRam: 4,
  protected: true,
  properties: new Map([
    ['kernel', 'k'],
    ['empty', ''],
    ['null', null],
    ['__proto__', 'p'],
    ['Kernel', 'K'],
  ]),
  tags: ['b', 'a', 'B'],
  locations: [COPY, { ...DATA, status: 'pending' }, DATA],
  deletedAt: new Date('2017-01-01T00:00:00.001Z'),
})

export const imageCases: readonly RegistryCase[] = [
  {
    title: 'gives back every field as it was inserted',
    async run({ images }) {
      for (const stored of [await images.insert(FULL), await images.get(ID)]) sameImage(stored, FULL)
    },
  },
  {
    title: 'keeps unset fields undefined',
    async run({ images }) {
      sameImage(await images.insert(image()), image())
    },
  },
  {
    title: 'rejects not_found for an unknown id',
    async run({ images }) {
      await rejects(images.get(ID), 'not_found')
      await rejects(images.update(ID, { name: 'x' }), 'not_found')
      await rejects(images.update(ID, { name: 'x' }, { status: ['active'] }), 'not_found')
    },
  },
  {
    title: 'refuses an id that is taken and leaves what is there',
    async run({ images }) {
      await images.insert(image({ name: 'first' }))
      await rejects(images.insert(image({ name: 'second' })), 'already_exists', { key: ID })
      assert.equal((await images.get(ID)).name, 'first')
    },
  },
  {
    title: 'never gives the id of a deleted image to another',
    async run({ images }) {
      await images.insert(image())
      await images.update(ID, { status: 'deleted', deletedAt: new Date() })
      await rejects(images.insert(image()), 'already_exists')
    },
  },
  ...[ID.toUpperCase(), ID.replaceAll('-', ''), `{${ID.replaceAll('-', '')}}`, `urn:${ID.replaceAll('-', '')}`].map(
    (other): RegistryCase => ({
      title: `takes ${other} for another spelling of a taken UUID`,
      async run({ images }) {
        await images.insert(image())
        await rejects(images.insert(image({ id: other })), 'already_exists')
        assert.deepEqual(await idsOf(images.list(everything())), [ID])
      },
    }),
  ),
  {
    title: 'takes ids that differ in letter case only for the same',
    async run({ images }) {
      await images.insert(image({ id: 'cirros-1', name: 'small' }))
      await rejects(images.insert(image({ id: 'Cirros-1' })), 'already_exists')
      await rejects(images.get('CIRROS-1'), 'not_found')
    },
  },
  {
    title: 'changes the fields of a patch, clears those that are undefined, leaves the others',
    async run({ images }) {
      await images.insert(FULL)
      const changed = await images.update(ID, { name: undefined, size: 5, protected: false })
      sameImage(changed, { ...FULL, name: undefined, size: 5, protected: false, updatedAt: changed.updatedAt })
      sameImage(await images.get(ID), changed)
    },
  },
  {
    title: 'sets updatedAt to now and leaves createdAt',
    async run({ images, clock }) {
      const { createdAt } = await images.insert(image())
      clock.advance(5)
      const changed = await images.update(ID, {})
      assert.deepEqual(changed.updatedAt, clock.now())
      assert.deepEqual(changed.createdAt, createdAt)
    },
  },
  {
    title: 'updates only in an expected status; otherwise rejects conflict and changes nothing',
    async run({ images }) {
      await images.insert(FULL)
      const patch = {
        name: 'no',
        properties: { set: new Map([['new', '1']]), purge: true },
        tags: ['no'],
        locations: [],
      }
      await rejects(images.update(ID, patch, { status: ['queued', 'active'] }), 'conflict')
      await rejects(images.update(ID, patch, { status: [] }), 'conflict')
      sameImage(await images.get(ID), FULL)
      assert.equal((await images.update(ID, { status: 'active' }, { status: ['queued', 'saving'] })).status, 'active')
    },
  },
  {
    title: 'updates only for the expected writer, if one is expected',
    async run({ images }) {
      await images.insert(image({ status: 'saving', writer: 'task.2' }))
      for (const writer of ['task.1', 'task.3', 'Task.2', 'task.2 ', ''])
        await rejects(images.update(ID, { status: 'active' }, { status: ['saving'], writer }), 'conflict')
      await rejects(images.update(ID, { status: 'active' }, { status: ['queued'], writer: 'task.2' }), 'conflict')
      assert.equal((await images.get(ID)).status, 'saving')
      const done = { status: 'active' as const, writer: undefined }
      const changed = await images.update(ID, done, { status: ['saving'], writer: 'task.2' })
      assert.deepEqual([changed.status, changed.writer], ['active', undefined])
      await rejects(images.update(ID, { name: 'late' }, { status: ['active'], writer: 'task.2' }), 'conflict')
      assert.equal((await images.update(ID, { name: 'x' }, { status: ['active'] })).name, 'x')
    },
  },
  {
    title: 'lets one of many concurrent writers with the same expectation win',
    async run({ images }) {
      await images.insert(image({ status: 'queued' }))
      const writers = Array.from({ length: 8 }, (_, writer) =>
        images.update(ID, { status: 'saving', name: `${writer}` }, { status: ['queued'] }),
      )
      const results = await Promise.allSettled(writers)
      const won = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.name] : []))
      assert.equal(won.length, 1)
      assert.equal((await images.get(ID)).name, won[0])
    },
  },
  {
    title: 'merges properties',
    async run({ images }) {
      await images.insert(
        image({
          properties: new Map([
            ['a', '1'],
            ['b', '2'],
          ]),
        }),
      )
      const changed = await images.update(ID, {
        properties: {
          set: new Map([
            ['b', null],
            ['c', '3'],
          ]),
          purge: false,
        },
      })
      assert.deepEqual(entries(changed), { a: '1', b: null, c: '3' })
    },
  },
  {
    title: 'drops unnamed properties when it purges, and takes them back later',
    async run({ images }) {
      await images.insert(
        image({
          properties: new Map([
            ['a', '1'],
            ['b', '2'],
          ]),
        }),
      )
      const purged = await images.update(ID, { properties: { set: new Map([['b', '3']]), purge: true } })
      assert.deepEqual(entries(purged), { b: '3' })
      const empty = await images.update(ID, { properties: { set: new Map(), purge: true } })
      assert.deepEqual(entries(empty), {})
      const revived = await images.update(ID, { properties: { set: new Map([['a', '4']]), purge: false } })
      assert.deepEqual(entries(revived), { a: '4' })
    },
  },
  {
    title: 'replaces tags',
    async run({ images }) {
      await images.insert(image({ tags: ['a', 'b'] }))
      assert.deepEqual((await images.update(ID, { tags: ['b', 'c'] })).tags.toSorted(), ['b', 'c'])
      assert.deepEqual((await images.update(ID, { tags: ['a'] })).tags, ['a'])
      assert.deepEqual((await images.update(ID, { tags: [] })).tags, [])
    },
  },
  {
    title: 'replaces locations in the order given',
    async run({ images }) {
      await images.insert(image({ locations: [DATA] }))
      const lists = [
        [COPY, DATA],
        [DATA, COPY],
        [{ ...DATA, status: 'pending_delete' as const }],
        [{ ...COPY, metadata: { a: 'b' } }],
        [COPY],
        [],
      ]
      for (const locations of lists) {
        assert.deepEqual((await images.update(ID, { locations })).locations, locations)
        assert.deepEqual((await images.get(ID)).locations, locations)
      }
    },
  },
  {
    title: 'deletes properties, tags and members with the image',
    async run({ images, members }) {
      await images.insert(FULL)
      await members.put(ID, { member: 'guest', canShare: true })
      const deletedAt = new Date()
      const deleted = await images.update(ID, { status: 'deleted', deletedAt, locations: [] })
      assert.deepEqual({ ...entries(deleted) }, {})
      assert.deepEqual([deleted.tags, deleted.locations, deleted.deletedAt], [[], [], deletedAt])
      assert.equal(deleted.name, FULL.name)
      assert.deepEqual(await members.list(ID), [])
      sameImage(await images.get(ID), deleted)
    },
  },
  {
    title: 'keeps the locations of a deleted image until a patch says that they are gone',
    async run({ images }) {
      await images.insert(image({ locations: [DATA, COPY] }))
      const waiting = [DATA, COPY].map((location) => ({ ...location, status: 'pending_delete' as const }))
      const marked = await images.update(ID, { status: 'deleted', deletedAt: new Date(), locations: waiting })
      assert.deepEqual(marked.locations, waiting)
      assert.deepEqual((await images.update(ID, { status: 'deleted' })).locations, waiting)
      assert.deepEqual((await images.update(ID, { locations: [] }, { status: ['deleted'] })).locations, [])
    },
  },
  {
    title: 'takes a delayed deletion back',
    async run({ images }) {
      await images.insert(image({ locations: [DATA], properties: new Map([['a', '1']]) }))
      const waiting = [{ ...DATA, status: 'pending_delete' as const }]
      await images.update(
        ID,
        { status: 'pending_delete', deletedAt: new Date(), locations: waiting },
        { status: ['active'] },
      )
      const restored = { status: 'active' as const, deletedAt: undefined, locations: [DATA] }
      const back = await images.update(ID, restored, { status: ['pending_delete'] })
      sameImage(back, image({ locations: [DATA], properties: new Map([['a', '1']]), updatedAt: back.updatedAt }))
    },
  },
  {
    title: 'takes no text that cannot be stored for that of an image',
    async run({ images }) {
      await images.insert(image({ id: 'a\uFFFD', name: 'n\uFFFD', owner: 'o' }))
      for (const id of ['a\0', 'a\uD800', 'a\uFFFD '] as const) {
        await rejects(images.get(id), 'not_found')
        await rejects(images.update(id, { name: 'x' }), 'not_found')
        await rejects(images.list(everything({ marker: id })), 'invalid_argument')
      }
      assert.deepEqual(await images.list(everything({ filters: { name: ['n\uD800', 'n\0'] } })), [])
      assert.equal(await images.usage('o\0'), 0)
    },
  },
]

function entries({ properties }: Image): Record<string, string | null> {
  return Object.fromEntries(properties)
}

/** Properties and tags are sets: their order is the adapter's own. */
function sameImage(actual: Image, expected: Image): void {
  const sorted = ({ properties, tags, ...rest }: Image): object => ({
    ...rest,
    properties: [...properties].toSorted(([a], [b]) => (a < b ? -1 : 1)),
    tags: tags.toSorted(),
  })
  assert.deepEqual(sorted(actual), sorted(expected))
}
