import { type ImageFilters, type ImageQuery, type ImageScope, SORT_KEYS } from 'mullion/images'

export interface ListCase {
  readonly name: string
  readonly query: ImageQuery
  /** Whether to start in the middle of the list. */
  readonly middle: boolean
}

const PAGE = 25
const ALL: ImageScope = { kind: 'all' }
const TENANT: ImageScope = { kind: 'visible', owner: 'tenant-07' }

const query = (changes: Partial<ImageQuery>): ImageQuery => ({
  scope: ALL,
  filters: {},
  includeDeleted: false,
  sortKey: 'createdAt',
  sortDirection: 'desc',
  limit: PAGE,
  ...changes,
})

/** What is filtered, of images that `fillWithImages` made. */
const FILTERS: Readonly<Record<string, ImageFilters>> = {
  'one name (5 images)': { name: ['name-000007'] },
  'status of 90 %': { status: ['active'] },
  'one of two statuses, 10 %': { status: ['queued', 'saving'] },
  'disk format of 25 %': { diskFormat: ['qcow2'] },
  'container format of 90 %': { containerFormat: ['bare'] },
  'size of the upper half': { sizeMin: 550_000_000_000 },
  'size of 0.1 %': { sizeMin: 1_098_400_000_000 },
  'min_disk of 1 %': { minDisk: 40 },
  'min_ram of 1 %': { minRam: 512 },
  'protected, 1 %': { protected: true },
  'property of 50 %': { properties: new Map([['os_type', 'linux']]) },
  'property of 1 %': { properties: new Map([['tier', 'gold']]) },
  'property of one image': { properties: new Map([['build', '00000007']]) },
  'no such property': { properties: new Map([['build', 'none']]) },
  'changes since the beginning': { changesSince: new Date('2010-01-01') },
  'changes of a distant future': { changesSince: new Date('2900-01-01') },
}

export const CASES: readonly ListCase[] = [
  ...SORT_KEYS.flatMap((sortKey) =>
    (['asc', 'desc'] as const).flatMap((sortDirection) =>
      [false, true].map((middle) => ({
        name: `all, by ${sortKey} ${sortDirection}${middle ? ', middle' : ''}`,
        query: query({ sortKey, sortDirection }),
        middle,
      })),
    ),
  ),
  ...SORT_KEYS.map((sortKey) => ({
    name: `of a tenant, by ${sortKey}, middle`,
    query: query({ scope: TENANT, sortKey }),
    middle: true,
  })),
  ...Object.entries(FILTERS).flatMap(([what, filters]) => [
    { name: `all, ${what}`, query: query({ filters }), middle: false },
    { name: `of a tenant, ${what}`, query: query({ filters, scope: TENANT }), middle: false },
  ]),
  {
    name: 'all, status of 90 %, by size, middle',
    query: query({ filters: { status: ['active'] }, sortKey: 'size' }),
    middle: true,
  },
  {
    name: 'all, one name, by size',
    query: query({ filters: { name: ['name-000007'] }, sortKey: 'size' }),
    middle: false,
  },
  { name: 'not public', query: query({ scope: { kind: 'not', visibility: 'public' } }), middle: true },
  { name: 'public alone', query: query({ scope: { kind: 'visible', owner: undefined } }), middle: true },
  {
    name: 'shared with a tenant (100)',
    query: query({ scope: { kind: 'visible', owner: 'tenant-share' } }),
    middle: true,
  },
]
