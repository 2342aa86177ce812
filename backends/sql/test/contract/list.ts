import assert from 'node:assert/strict'
import type { Image, ImageFilters, ImageScope, LocationStatus, SortKey } from 'mullion/images'
import { everything, IDS, idsOf, image, type RegistryCase, type RegistryPorts, rejects } from './ports.ts'

const [A, B, C, D] = IDS

/** Inserts the images one second apart, the first one oldest. */
async function fill({ images }: RegistryPorts, changes: readonly Partial<Image>[]): Promise<void> {
  for (const [index, change] of changes.entries()) {
    const at = new Date(Date.UTC(2020, 0, 1, 0, 0, index))
    await images.insert(image({ id: IDS[index] as string, createdAt: at, updatedAt: at, ...change }))
  }
}

interface FilterCase {
  readonly what: string
  readonly images: readonly Partial<Image>[]
  readonly filters: ImageFilters
  readonly expected: readonly string[]
}

const FILTERS: readonly FilterCase[] = [
  {
    what: 'a name, by letter case',
    images: [{ name: 'a' }, { name: 'A' }, {}],
    filters: { name: ['A'] },
    expected: [B],
  },
  {
    what: 'a name, with the blanks at its end and by its accents',
    images: [{ name: 'a' }, { name: 'a ' }, { name: 'á' }, { name: 'ａ' }],
    filters: { name: ['a '] },
    expected: [B],
  },
  {
    what: 'the empty name, which is not the unset one',
    images: [{ name: '' }, {}, { name: ' ' }],
    filters: { name: [''] },
    expected: [A],
  },
  {
    what: 'one of several names',
    images: [{ name: 'a' }, { name: 'b' }, { name: 'c,d' }],
    filters: { name: ['a', 'c,d'] },
    expected: [C, A],
  },
  { what: 'none of no names', images: [{ name: 'a' }, {}], filters: { name: [] }, expected: [] },
  {
    what: 'statuses',
    images: [{ status: 'queued' }, { status: 'saving' }, {}],
    filters: { status: ['queued', 'saving'] },
    expected: [B, A],
  },
  {
    what: 'formats',
    images: [{ diskFormat: 'raw', containerFormat: 'bare' }, { diskFormat: 'raw' }, {}],
    filters: { diskFormat: ['raw'], containerFormat: ['bare', 'ovf'] },
    expected: [A],
  },
  {
    what: 'sizes, bounds included and unknown ones as 0',
    images: [{ size: 0 }, { size: 5 }, { size: 6 }, {}],
    filters: { sizeMin: 0, sizeMax: 5 },
    expected: [D, B, A],
  },
  {
    what: 'equal minima',
    images: [{ minDisk: 1, minRam: 2 }, { minDisk: 1 }, { minDisk: 2, minRam: 2 }],
    filters: { minDisk: 1, minRam: 2 },
    expected: [A],
  },
  { what: 'minima beyond any', images: [{ minDisk: 1 }], filters: { minDisk: 2 ** 40 }, expected: [] },
  { what: 'sizes beyond any', images: [{ size: 2 ** 53 - 1 }], filters: { sizeMin: 2 ** 60 }, expected: [] },
  { what: 'sizes to beyond any', images: [{ size: 9 }], filters: { sizeMin: 1, sizeMax: 2 ** 60 }, expected: [A] },
  { what: 'protection', images: [{ protected: true }, {}], filters: { protected: false }, expected: [B] },
  {
    what: 'changes later than a time',
    images: [{}, {}, {}],
    filters: { changesSince: new Date(Date.UTC(2020, 0, 1, 0, 0, 1)) },
    expected: [C],
  },
  {
    what: 'all of several properties',
    images: [
      {
        properties: new Map([
          ['x', '1'],
          ['y', '2'],
        ]),
      },
      {
        properties: new Map([
          ['x', '1'],
          ['y', '3'],
        ]),
      },
      { properties: new Map([['x', null]]) },
    ],
    filters: {
      properties: new Map([
        ['x', '1'],
        ['y', '2'],
      ]),
    },
    expected: [A],
  },
]

const SORTS: Readonly<
  Record<SortKey, { readonly images: readonly Partial<Image>[]; readonly ascending: readonly string[] }>
> = {
  name: { images: [{ name: 'b' }, {}, { name: 'B' }, { name: '' }], ascending: [B, D, C, A] },
  status: { images: [{ status: 'saving' }, { status: 'active' }, { status: 'queued' }], ascending: [B, C, A] },
  containerFormat: { images: [{ containerFormat: 'ovf' }, {}, { containerFormat: 'bare' }], ascending: [B, C, A] },
  diskFormat: { images: [{ diskFormat: 'vmdk' }, { diskFormat: 'qcow2' }, {}], ascending: [C, B, A] },
  size: { images: [{ size: 10 }, { size: 9 }, {}, { size: 0 }], ascending: [C, D, B, A] },
  id: { images: [{}, {}, {}], ascending: [A, B, C] },
  createdAt: { images: [{}, {}, {}], ascending: [A, B, C] },
  updatedAt: {
    images: [{ updatedAt: new Date('2030-01-01') }, { updatedAt: new Date('2029-01-01') }, {}],
    ascending: [C, B, A],
  },
}

export const listCases: readonly RegistryCase[] = [
  {
    title: 'tells long values of properties apart, by their ends and by letters of four octets',
    async run(ports) {
      const values = [`${'x'.repeat(100)}a`, `${'x'.repeat(100)}b`, '𝄞'.repeat(70), '𝄞'.repeat(71)]
      await fill(
        ports,
        values.map((value) => ({ properties: new Map([['p', value]]) })),
      )
      for (const [index, value] of values.entries()) {
        const filters = { properties: new Map([['p', value]]) }
        assert.deepEqual(await idsOf(ports.images.list(everything({ filters }))), [IDS[index]])
      }
    },
  },
  {
    title: 'lists nothing when there is nothing',
    async run({ images }) {
      assert.deepEqual(await images.list(everything()), [])
    },
  },
  {
    title: 'gives whole records',
    async run({ images }) {
      const locations = [{ uri: 'file:///a', metadata: { store: 's' }, status: 'active' as const }]
      const stored = await images.insert(image({ properties: new Map([['a', null]]), tags: ['t'], locations }))
      assert.deepEqual(await images.list(everything()), [stored])
    },
  },
  ...FILTERS.map(
    ({ what, images: changes, filters, expected }): RegistryCase => ({
      title: `filters by ${what}`,
      async run(ports) {
        await fill(ports, changes)
        assert.deepEqual(await idsOf(ports.images.list(everything({ filters }))), expected)
      },
    }),
  ),
  {
    title: 'finds images by the status of a location, deleted images too',
    async run(ports) {
      const at = (status: LocationStatus): Partial<Image> => ({
        locations: [{ uri: 'file:///x', metadata: {}, status }],
      })
      await fill(ports, [
        at('pending_delete'),
        at('active'),
        {},
        { ...at('pending_delete'), status: 'deleted', deletedAt: new Date() },
      ])
      const query = everything({ filters: { locationStatus: 'pending_delete' }, includeDeleted: true })
      assert.deepEqual(await idsOf(ports.images.list(query)), [D, A])
      await ports.images.update(A, { locations: [] })
      assert.deepEqual(await idsOf(ports.images.list(query)), [D])
    },
  },
  {
    title: 'does not find a property that was purged',
    async run(ports) {
      await fill(ports, [{ properties: new Map([['x', '1']]) }])
      await ports.images.update(A, { properties: { set: new Map(), purge: true } })
      assert.deepEqual(await ports.images.list(everything({ filters: { properties: new Map([['x', '1']]) } })), [])
    },
  },
  ...Object.entries(SORTS).map(
    ([sortKey, { images: changes, ascending }]): RegistryCase => ({
      title: `sorts by ${sortKey} and pages through it in both directions`,
      async run(ports) {
        await fill(ports, changes)
        for (const sortDirection of ['asc', 'desc'] as const) {
          const query = everything({ sortKey: sortKey as SortKey, sortDirection, limit: 1 })
          const expected = sortDirection === 'asc' ? ascending : ascending.toReversed()
          assert.deepEqual(await pagedIds(ports, query), expected)
        }
      },
    }),
  ),
  {
    title: 'breaks ties by creation, then id, in the direction of the sort',
    async run({ images }) {
      const late = new Date('2020-01-01T00:00:00.001Z')
      const early = new Date('2020-01-01T00:00:00.000Z')
      for (const [id, createdAt] of [
        [A, late],
        [B, early],
        [C, early],
      ] as const)
        await images.insert(image({ id, createdAt, name: 'n' }))
      assert.deepEqual(await idsOf(images.list(everything({ sortKey: 'name', sortDirection: 'asc' }))), [B, C, A])
      assert.deepEqual(await idsOf(images.list(everything({ sortKey: 'name', sortDirection: 'desc' }))), [A, C, B])
    },
  },
  {
    title: 'leaves out what is deleted, on its way there or killed, unless asked',
    async run(ports) {
      await fill(ports, [
        { status: 'killed' },
        { status: 'pending_delete', deletedAt: new Date() },
        { status: 'deleted', deletedAt: new Date() },
        { status: 'deactivated' },
      ])
      assert.deepEqual(await idsOf(ports.images.list(everything())), [D])
      assert.deepEqual(await idsOf(ports.images.list(everything({ includeDeleted: true }))), [D, C, B, A])
      assert.deepEqual(await ports.images.list(everything({ filters: { status: ['killed'] } })), [])
    },
  },
  {
    title: 'shows an owner what is public, owned or shared, each once',
    async run(ports) {
      await fill(ports, [{ visibility: 'public', owner: 'me' }, { owner: 'me' }, { owner: 'you' }, { owner: 'you' }])
      for (const imageId of [A, B, C]) await ports.members.put(imageId, { member: 'me' })
      await ports.members.put(D, { member: 'Me' })
      const mine: ImageScope = { kind: 'visible', owner: 'me' }
      assert.deepEqual(await idsOf(ports.images.list(everything({ scope: mine }))), [C, B, A])
      await ports.members.remove(C, 'me')
      assert.deepEqual(await idsOf(ports.images.list(everything({ scope: mine }))), [B, A])
    },
  },
  {
    title: 'shows public images only to nobody in particular',
    async run(ports) {
      await fill(ports, [{ visibility: 'public' }, {}, { visibility: 'shared' }, { visibility: 'community' }])
      await ports.members.put(C, { member: 'me' })
      const scope: ImageScope = { kind: 'visible', owner: undefined }
      assert.deepEqual(await idsOf(ports.images.list(everything({ scope }))), [A])
    },
  },
  {
    title: 'lists everything without one visibility',
    async run(ports) {
      await fill(ports, [{ visibility: 'public' }, { visibility: 'private' }, { visibility: 'shared' }])
      const scope: ImageScope = { kind: 'not', visibility: 'public' }
      assert.deepEqual(await idsOf(ports.images.list(everything({ scope }))), [C, B])
    },
  },
  {
    title: 'starts after a marker that the filters leave out',
    async run(ports) {
      await fill(ports, [{ name: 'x' }, { name: 'y' }, { name: 'x' }])
      const query = everything({ filters: { name: ['x'] }, marker: B })
      assert.deepEqual(await idsOf(ports.images.list(query)), [A])
    },
  },
  {
    title: 'refuses a marker that does not exist, and takes one from outside of the scope',
    async run(ports) {
      await fill(ports, [{ owner: 'you' }])
      await rejects(ports.images.list(everything({ marker: B })), 'invalid_argument', { name: 'marker' })
      const scope: ImageScope = { kind: 'visible', owner: 'me' }
      assert.deepEqual(await idsOf(ports.images.list(everything({ scope, marker: A }))), [])
    },
  },
  {
    title: 'gives no more than the limit, and nothing for 0',
    async run(ports) {
      await fill(ports, [{}, {}, {}])
      assert.deepEqual(await idsOf(ports.images.list(everything({ limit: 2 }))), [C, B])
      assert.deepEqual(await ports.images.list(everything({ limit: 0 })), [])
    },
  },
]

async function pagedIds(
  { images }: RegistryPorts,
  query: Parameters<RegistryPorts['images']['list']>[0],
): Promise<readonly string[]> {
  const ids: string[] = []
  for (;;) {
    const marker = ids.at(-1)
    const page = await idsOf(images.list(marker === undefined ? query : { ...query, marker }))
    if (page.length === 0) return ids
    ids.push(...page)
    assert.ok(ids.length <= IDS.length, `a page repeats: ${ids.join(' ')}`)
  }
}
