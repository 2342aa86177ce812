import fc from 'fast-check'
import type { Image, ImageFilters, ImageQuery, ImageScope, Member } from 'mullion/images'
import { createSeal, SORT_KEYS } from 'mullion/images'
import { expect } from 'vitest'
import type { Database } from '../../src/database.ts'
import { findIds } from '../../src/images/list.ts'
import { imageRegistry } from '../../src/images/registry.ts'
import { memberRegistry } from '../../src/members.ts'
import { image } from '../contract/ports.ts'

const time = (ms: number): Date => new Date(Date.UTC(2020, 0, 1) + ms)
const word = fc.constantFrom('', 'a', 'a ', 'B', 'b', 'é', '𝄞', '\uffee', "'; --")
const moment = fc.integer({ min: 0, max: 3 }).map(time)
const owner = fc.constantFrom('me', 'you', 'Me')
const visibility = fc.constantFrom('public' as const, 'private' as const, 'shared' as const, 'community' as const)
const status = fc.constantFrom(
  'queued' as const,
  'active' as const,
  'killed' as const,
  'deleted' as const,
  'pending_delete' as const,
)
const size = fc.integer({ min: 0, max: 3 })
const locationStatus = fc.constantFrom('active' as const, 'pending' as const, 'pending_delete' as const)
const format = fc.constantFrom('raw', 'qcow2')
const properties = (value: fc.Arbitrary<string | null>): fc.Arbitrary<Map<string, string | null>> =>
  fc
    .dictionary(fc.constantFrom('x', 'X', 'y'), value, { maxKeys: 2 })
    .map((entries) => new Map(Object.entries(entries)))
const maybe = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined })

const images: fc.Arbitrary<Image[]> = fc
  .array(
    fc.record({
      name: maybe(word),
      status,
      visibility,
      owner: maybe(owner),
      size: maybe(size),
      diskFormat: maybe(format),
      containerFormat: maybe(format),
      minDisk: fc.integer({ min: 0, max: 1 }),
      minRam: fc.integer({ min: 0, max: 1 }),
      protected: fc.boolean(),
      properties: properties(fc.option(fc.constantFrom('1', '2'))),
      locations: fc.array(
        locationStatus.map((at) => ({ uri: 'file:///x', metadata: {}, status: at })),
        { maxLength: 2 },
      ),
      createdAt: moment,
      updatedAt: moment,
    }),
    { maxLength: 14 },
  )
  .map((drafts) => drafts.map((draft, index) => image({ ...draft, id: `image-${(index * 7) % 15}` })))

const scope: fc.Arbitrary<ImageScope> = fc.oneof(
  fc.constant({ kind: 'all' as const }),
  fc.record({ kind: fc.constant('visible' as const), owner: maybe(owner) }),
  fc.record({ kind: fc.constant('not' as const), visibility }),
)

const filters = fc.record(
  {
    name: fc.array(word, { maxLength: 3 }),
    status: fc.array(status, { maxLength: 3 }),
    diskFormat: fc.array(format, { maxLength: 1 }),
    containerFormat: fc.array(format, { maxLength: 2 }),
    sizeMin: size,
    sizeMax: size,
    minDisk: fc.integer({ min: 0, max: 1 }),
    minRam: fc.integer({ min: 0, max: 1 }),
    protected: fc.boolean(),
    changesSince: moment,
    locationStatus,
    properties: properties(fc.constantFrom('1', '2')) as fc.Arbitrary<Map<string, string>>,
  },
  { requiredKeys: [] },
) as fc.Arbitrary<ImageFilters>

const query: fc.Arbitrary<ImageQuery> = fc.record({
  scope,
  filters: fc.oneof(fc.constant({}), filters),
  includeDeleted: fc.boolean(),
  sortKey: fc.constantFrom(...SORT_KEYS),
  sortDirection: fc.constantFrom('asc' as const, 'desc' as const),
  limit: fc.integer({ min: 1, max: 4 }),
})

/** How many images are few: both ways to find a page are to give the same one. */
const fewest = fc.constantFrom(0, 1, 3, 2000)

const members = fc.array(fc.record({ at: fc.nat(20), member: owner, gone: fc.boolean() }), { maxLength: 6 })

/** Each database is emptied by `open`. */
export async function provesLists(open: () => Promise<Database>, numRuns: number): Promise<void> {
  const arguments_ = [images, members, fc.array(query, { minLength: 1, maxLength: 4 }), fewest] as const
  await fc.assert(
    fc.asyncProperty(...arguments_, async (all, shares, queries, most) => {
      const database = await open()
      try {
        const live = await fill(database, all, shares)
        const list = (one: ImageQuery): Promise<readonly string[]> =>
          database.read('test', (snapshot) => findIds(snapshot, database.engine, one, most))
        for (const one of queries) {
          expect(await walk(list, one)).toEqual(naive(all, live, one).map(({ id }) => id))
        }
        for (const marker of all) {
          const [one] = queries as [ImageQuery]
          const page = { ...one, marker: marker.id }
          const expected = naive(all, live, page).slice(0, one.limit)
          expect(await list(page)).toEqual(expected.map(({ id }) => id))
        }
      } finally {
        await database.close()
      }
    }),
    { numRuns },
  )
}

async function fill(
  database: Database,
  all: readonly Image[],
  shares: readonly { readonly at: number; readonly member: string; readonly gone: boolean }[],
): Promise<readonly Member[]> {
  const now = (): Date => new Date()
  const registry = imageRegistry(database, createSeal([], false), now)
  const memberships = memberRegistry(database, now)
  for (const one of all) await registry.insert(one)
  const live = new Map<string, Member>()
  for (const { at, member, gone } of shares) {
    const imageId = all[at]?.id
    if (imageId === undefined) continue
    await memberships.put(imageId, { member })
    live.set(`${imageId} ${member}`, { imageId, member, canShare: false })
    if (!gone) continue
    await memberships.remove(imageId, member)
    live.delete(`${imageId} ${member}`)
  }
  return [...live.values()]
}

async function walk(list: (query: ImageQuery) => Promise<readonly string[]>, one: ImageQuery): Promise<string[]> {
  const ids: string[] = []
  for (;;) {
    const marker = ids.at(-1)
    const page = await list(marker === undefined ? one : { ...one, marker })
    ids.push(...page)
    if (page.length < one.limit || ids.length > 100) return ids
  }
}

function inScope(one: Image, shares: readonly Member[], within: ImageScope): boolean {
  if (within.kind === 'all') return true
  if (within.kind === 'not') return one.visibility !== within.visibility
  if (one.visibility === 'public') return true
  if (within.owner === undefined) return false
  return (
    one.owner === within.owner || shares.some(({ imageId, member }) => imageId === one.id && member === within.owner)
  )
}

/** The whole list, without paging except for the marker. */
function naive(all: readonly Image[], shares: readonly Member[], one: ImageQuery): Image[] {
  const order = (a: Image, b: Image): number => {
    for (const key of [one.sortKey, 'createdAt', 'id'] as const) {
      const result = compare(a[key], b[key])
      if (result !== 0) return one.sortDirection === 'asc' ? result : -result
    }
    return 0
  }
  const marker = all.find(({ id }) => id === one.marker)
  return all
    .filter((candidate) => inScope(candidate, shares, one.scope) && matches(candidate, one))
    .filter((candidate) => !marker || order(candidate, marker) > 0)
    .toSorted(order)
}

function matches(one: Image, { filters: wanted, includeDeleted }: ImageQuery): boolean {
  if (!includeDeleted && ['deleted', 'pending_delete', 'killed'].includes(one.status)) return false
  for (const key of ['name', 'status', 'diskFormat', 'containerFormat'] as const) {
    if (wanted[key] && !wanted[key].includes(one[key] as string)) return false
  }
  for (const key of ['minDisk', 'minRam', 'protected'] as const) {
    if (wanted[key] !== undefined && one[key] !== wanted[key]) return false
  }
  if (wanted.sizeMin !== undefined && (one.size ?? 0) < wanted.sizeMin) return false
  if (wanted.sizeMax !== undefined && (one.size ?? 0) > wanted.sizeMax) return false
  if (wanted.changesSince && one.updatedAt.getTime() <= wanted.changesSince.getTime()) return false
  if (wanted.locationStatus && !one.locations.some((location) => location.status === wanted.locationStatus))
    return false
  return [...(wanted.properties ?? [])].every(([name, value]) => one.properties.get(name) === value)
}

/** Texts by code point, as UTF-8 sorts; `<` on strings would go by UTF-16 unit. */
function compare(a: string | number | Date | undefined, b: string | number | Date | undefined): number {
  if (typeof a === 'number' || typeof b === 'number') return Number(a ?? 0) - Number(b ?? 0)
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime()
  return Buffer.compare(Buffer.from((a as string | undefined) ?? ''), Buffer.from((b as string | undefined) ?? ''))
}
