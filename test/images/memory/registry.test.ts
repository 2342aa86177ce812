import fc from 'fast-check'
import {
  type ImageDraft,
  type ImageFilters,
  type ImageQuery,
  type ImageScope,
  memoryRegistry,
  newImage,
  SORT_KEYS,
} from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { failureOf } from '../../tiny-store.ts'
import { START } from '../scene.ts'

const ALL: ImageQuery = {
  scope: { kind: 'all' },
  filters: {},
  includeDeleted: true,
  sortKey: 'createdAt',
  sortDirection: 'asc',
  limit: 100,
}

/** A registry with these images, created a second apart, called a, b, c, … */
async function filled(...drafts: readonly ImageDraft[]) {
  let seconds = drafts.length
  const registry = memoryRegistry(() => new Date(START + 1000 * (seconds += 1)))
  for (const [index, draft] of drafts.entries()) {
    await registry.images.insert(
      newImage({ id: String.fromCharCode(97 + index), ...draft }, new Date(START + 1000 * index), String),
    )
  }
  const ids = async (query: Partial<ImageQuery>): Promise<string> =>
    (await registry.images.list({ ...ALL, ...query })).map(({ id }) => id).join('')
  return { ...registry, ids }
}

describe('update', () => {
  it('writes only when the status is as expected, and else changes nothing', async () => {
    const { images } = await filled({})
    expect(await failureOf(images.update('a', { name: 'x' }, { status: ['active', 'saving'] }))).toMatchObject({
      code: 'conflict',
      message: 'image a: is queued, expected active or saving',
    })
    expect((await images.get('a')).name).toBeUndefined()
    expect(await images.update('a', { name: 'x' }, { status: ['active', 'queued'] })).toMatchObject({ name: 'x' })
    expect(await failureOf(images.update('z', {}))).toMatchObject({ code: 'not_found' })
  })

  it('lets one of many win who expect the same status', async () => {
    const { images } = await filled({})
    const moves = Array.from({ length: 8 }, () => images.update('a', { status: 'saving' }, { status: ['queued'] }))
    const results = await Promise.allSettled(moves)
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  it('never sets updatedAt back', async () => {
    const registry = memoryRegistry(() => new Date(START - 5000))
    await registry.images.insert(newImage({ id: 'a' }, new Date(START), String))
    expect((await registry.images.update('a', { name: 'x' })).updatedAt).toEqual(new Date(START))
  })

  it('takes properties, tags and members away with the image, and locations only when told', async () => {
    const { images, members } = await filled({ properties: new Map([['k', 'v']]), tags: ['t'] }, {})
    await members.put('a', { member: 'm', canShare: true })
    await members.put('b', { member: 'm', canShare: true })
    await images.update('a', { locations: [{ uri: 'memory://a', metadata: {}, status: 'pending_delete' }] })
    const gone = await images.update('a', { status: 'deleted' })
    expect([gone.properties.size, gone.tags, gone.locations.length]).toEqual([0, [], 1])
    expect([await members.list('a'), (await members.list('b')).length]).toEqual([[], 1])
  })
})

describe('members', () => {
  it('are added, changed, listed and removed', async () => {
    const { members } = await filled({})
    await members.put('a', { member: 'm', canShare: false })
    await members.put('a', { member: 'm', canShare: true })
    expect(await members.find('a', 'm')).toEqual({ imageId: 'a', member: 'm', canShare: true })
    expect(await members.list('a')).toHaveLength(1)
    await members.remove('a', 'm')
    expect(await members.find('a', 'm')).toBeUndefined()
    expect(await failureOf(members.remove('a', 'm'))).toMatchObject({ code: 'not_found' })
  })
})

describe('list', () => {
  it.each<readonly [ImageScope, string]>([
    [{ kind: 'all' }, 'abcd'],
    [{ kind: 'visible', owner: 'o' }, 'abc'],
    [{ kind: 'visible', owner: 'm' }, 'bd'],
    [{ kind: 'visible', owner: undefined }, 'b'],
    [{ kind: 'not', visibility: 'public' }, 'acd'],
  ])('shows within %j: %s', async (scope, expected) => {
    const { ids, members } = await filled(
      { owner: 'o' },
      { owner: 'x', visibility: 'public' },
      { owner: 'o' },
      { owner: 'x' },
    )
    await members.put('d', { member: 'm', canShare: false })
    expect(await ids({ scope })).toBe(expected)
  })

  it.each<readonly [ImageFilters, string]>([
    [{}, 'abcd'],
    [{ name: ['one'] }, 'a'],
    [{ name: ['one', 'two'] }, 'ab'],
    [{ diskFormat: ['raw'] }, 'c'],
    [{ sizeMin: 10 }, 'bc'],
    [{ sizeMax: 10 }, 'abd'],
    [{ sizeMin: 10, sizeMax: 10 }, 'b'],
    [{ minDisk: 5 }, 'd'],
    [{ protected: true }, 'c'],
    [{ protected: false }, 'abd'],
    [{ properties: new Map([['k', 'v']]) }, 'd'],
    [{ properties: new Map([['k', 'w']]) }, ''],
    [{ changesSince: new Date(START + 1000) }, 'cd'],
    [{ status: ['active'] }, ''],
  ])('filters by %o: %s', async (filters, expected) => {
    const { ids } = await filled(
      { name: 'one' },
      { name: 'two', size: 10 },
      { size: 20, diskFormat: 'raw', protected: true },
      { minDisk: 5, properties: new Map([['k', 'v']]) },
    )
    expect(await ids({ filters })).toBe(expected)
  })

  it('hides what is deleted, awaits the scrubber or was killed, unless asked', async () => {
    const { ids, images } = await filled({}, {}, {}, {})
    await images.update('b', { status: 'killed' })
    await images.update('c', { status: 'pending_delete', deletedAt: new Date(START) })
    await images.update('d', { status: 'deleted', deletedAt: new Date(START) })
    expect(await ids({ includeDeleted: false })).toBe('a')
    expect(await ids({ includeDeleted: true })).toBe('abcd')
  })

  it('rejects a marker that does not exist, and takes one that scope or filters leave out', async () => {
    const { ids, images } = await filled({ owner: 'x' }, { owner: 'o' }, { owner: 'o', name: 'n' })
    const scope = { kind: 'visible', owner: 'o' } as const
    expect(await failureOf(images.list({ ...ALL, scope, marker: 'none' }))).toMatchObject({
      code: 'invalid_argument',
      details: { name: 'marker' },
    })
    expect(await ids({ scope, marker: 'a' })).toBe('bc')
    expect(await ids({ scope, marker: 'b', filters: { name: ['n'] } })).toBe('c')
  })

  it('pages through everything once, whatever the order, the ties and the page size', async () => {
    const draft = fc.record({
      name: fc.constantFrom('', 'x', 'y'),
      size: fc.constantFrom(undefined, 0, 5),
      diskFormat: fc.constantFrom('raw', 'iso'),
    })
    const drafts = fc.array(draft, { maxLength: 12 })
    const order = fc.constantFrom(
      ...SORT_KEYS.flatMap((sortKey) =>
        (['asc', 'desc'] as const).map((sortDirection) => ({ sortKey, sortDirection })),
      ),
    )
    await fc.assert(
      fc.asyncProperty(drafts, order, fc.integer({ min: 1, max: 5 }), async (some, sorting, limit) => {
        const { ids } = await filled(...some)
        const whole = await ids(sorting)
        let paged = ''
        for (
          let page = await ids({ ...sorting, limit });
          page !== '';
          page = await ids({ ...sorting, limit, marker: paged.at(-1) ?? '' })
        )
          paged += page
        expect(paged).toBe(whole)
        expect(Array.from(whole).sort()).toEqual(some.map((_, index) => String.fromCharCode(97 + index)))
        const { sortDirection } = sorting
        const opposite = await ids({ ...sorting, sortDirection: sortDirection === 'asc' ? 'desc' : 'asc' })
        expect(Array.from(opposite).toReversed().join('')).toBe(whole)
      }),
    )
  })
})
