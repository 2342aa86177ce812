import { CompiledQuery, Kysely } from 'kysely'
import { type ImageQuery, SORT_KEYS } from 'mullion/images'
import { describe, expect, it, onTestFinished } from 'vitest'
import { idsQuery, type Listing } from '../../src/images/list.ts'
import type { Place } from '../../src/images/order.ts'
import { migrate } from '../../src/migrations/migrate.ts'
import type { Tables } from '../../src/schema.ts'
import { openSqlite } from '../../src/sqlite/engine.ts'
import { everything } from '../contract/ports.ts'

const TIME = '2020-01-01T00:00:00.000Z'
const PLACE: Place = [TIME, 'id']
const MINE = { kind: 'visible', owner: 'me' } as const
const VISIBILITIES = 4

/** What SQLite says it will do, https://www.sqlite.org/eqp.html. */
async function steps(request: ImageQuery, changes: Partial<Listing> = {}): Promise<readonly string[]> {
  const engine = await openSqlite(':memory:', 0)
  const db = new Kysely<Tables>({ dialect: engine.dialect })
  onTestFinished(() => db.destroy())
  await migrate(db, engine)
  const listing = { request, after: undefined, rare: undefined, ordered: undefined, most: 2000, ...changes }
  const { sql: text, parameters } = idsQuery(engine, listing).compile(db)
  const { rows } = await db.executeQuery<{ detail: string }>(
    CompiledQuery.raw(`explain query plan ${text}`, [...parameters]),
  )
  return rows.map(({ detail }) => detail)
}

/** The steps that read a table, each once. */
async function plan(request: ImageQuery, changes: Partial<Listing> = {}): Promise<readonly string[]> {
  const reading = (await steps(request, changes)).filter((step) => /\b(images|image_\w+)\b/.test(step))
  return [...new Set(reading)]
}

/** SQLite never says that an index covers a generated column. */
const search = (index: string, range: string, covering = !index.includes('_sort_')): string =>
  `SEARCH images USING ${covering && index.startsWith('ix_') ? 'COVERING ' : ''}INDEX ${index} (${range})`

describe('the plan of a list', () => {
  it.each([
    ['', {}, ''],
    [' after a marker', { after: PLACE }, ' AND (created_at,id)<(?,?)'],
  ])('of a tenant%s reads public, owned and shared images by an index each', async (_what, changes, range) => {
    expect(await plan(everything({ scope: MINE }), changes)).toEqual([
      search('ix_images_visibility_created_at', `visibility=? AND hidden=?${range}`),
      search('ix_images_owner_created_at', `owner=? AND hidden=?${range}`),
      'SEARCH image_members USING COVERING INDEX ix_image_members_member (member=? AND deleted=?)',
      search('sqlite_autoindex_images_1', 'id=?'),
    ])
  })

  it.each(SORT_KEYS.flatMap((sortKey) => (['asc', 'desc'] as const).map((direction) => [sortKey, direction] as const)))(
    'by %s %s reads the index of that order from the marker on, and sorts no more than pages',
    async (sortKey, sortDirection) => {
      const after = sortKey === 'id' ? ['id'] : sortKey === 'createdAt' ? PLACE : ['x', ...PLACE]
      const all = await steps(everything({ sortKey, sortDirection }), { after })
      const reads = all.filter((step) => / images /.test(step))
      expect(reads).toHaveLength(VISIBILITIES)
      const comparison = sortDirection === 'asc' ? '>' : '<'
      for (const read of reads) {
        expect(read).toMatch(
          /^SEARCH images USING (COVERING )?INDEX ix_images_visibility_\w+ \(visibility=\? AND hidden=\? AND /,
        )
        expect(read).toContain(comparison)
      }
      // What the outer query sorts are the few rows of the pages: one sort in all, and none beside an index.
      for (const [at, step] of all.entries()) {
        if (reads.includes(step)) expect(all[at + 1] ?? '').not.toContain('TEMP B-TREE')
      }
    },
  )

  it('reads hidden images by the same indexes', async () => {
    const all = await steps(everything({ includeDeleted: true }))
    const index = search('ix_images_visibility_created_at', 'visibility=? AND hidden=?')
    expect(all.filter((step) => step === index)).toHaveLength(2 * VISIBILITIES)
  })

  it.each([
    ['status', { status: ['saving'] }, 'status'],
    ['name', { name: ['n'] }, 'sort_name'],
    ['format', { diskFormat: ['raw'] }, 'sort_disk_format'],
  ] as const)('of one %s reads nothing else, newest first', async (_what, filters, column) => {
    expect(await plan(everything({ filters }), { after: PLACE })).toEqual([
      search(`ix_images_visibility_${column}`, `visibility=? AND hidden=? AND ${column}=? AND (created_at,id)<(?,?)`),
    ])
  })

  it('of sizes or changes in their own order reads nothing else', async () => {
    expect(await plan(everything({ filters: { changesSince: new Date(0) }, sortKey: 'updatedAt' }))).toEqual([
      search('ix_images_visibility_updated_at', 'visibility=? AND hidden=? AND updated_at>?'),
    ])
    expect(await plan(everything({ filters: { sizeMin: 1, sizeMax: 2 }, sortKey: 'size' }))).toEqual([
      search('ix_images_visibility_sort_size', 'visibility=? AND hidden=? AND sort_size>? AND sort_size<?'),
    ])
  })

  it('starts from a rare property', async () => {
    const filters = { properties: new Map([['build', '7']]) }
    const rare = { kind: 'property', property: ['build', '7'] } as const
    expect(await plan(everything({ filters, scope: MINE }), { rare, after: PLACE })).toEqual([
      'SEARCH image_properties USING INDEX ix_image_properties_value (name=? AND value_start=? AND deleted=?)',
      search('sqlite_autoindex_images_1', 'id=?'),
      'SEARCH image_members USING INDEX ix_image_members_image_id_member (image_id=? AND member=?)',
    ])
  })

  it('of a property that many have walks over those, newest first', async () => {
    const filters = { properties: new Map([['os', 'linux']]) }
    const ordered = { kind: 'property', property: ['os', 'linux'] } as const
    const all = await steps(everything({ filters }), { ordered, after: PLACE })
    const range = 'name=? AND value_start=? AND deleted=? AND (image_created_at,image_id)<(?,?)'
    const at = all.indexOf(`SEARCH image_properties USING INDEX ix_image_properties_value (${range})`)
    expect(all[at + 1]).toBe(search('sqlite_autoindex_images_1', 'id=?'))
    expect(all[at + 2]).not.toContain('TEMP B-TREE')
  })

  it('of a minimum that many have walks over those, newest first', async () => {
    const ordered = { kind: 'column', column: 'min_ram' } as const
    expect(await plan(everything({ filters: { minRam: 0 } }), { ordered, after: PLACE })).toEqual([
      search('ix_images_min_ram', 'min_ram=? AND hidden=? AND (created_at,id)<(?,?)'),
    ])
  })

  it.each([
    ['changes', { kind: 'part', key: 'updatedAt' }, 'ix_images_visibility_updated_at'],
    ['minimum', { kind: 'column', column: 'min_ram' }, 'ix_images_min_ram'],
  ] as const)('starts from a rare %s', async (_what, rare, index) => {
    const filters = { changesSince: new Date(0), minRam: 7 }
    const reads = await plan(everything({ filters }), { rare })
    expect(reads).toHaveLength(1)
    expect(reads[0]).toMatch(new RegExp(`^SEARCH images USING INDEX ${index} `))
  })

  it.each([undefined, PLACE])('of images with waiting data starts from those locations', async (after) => {
    expect(await plan(everything({ filters: { locationStatus: 'pending_delete' } }), { after })).toEqual([
      'SEARCH image_locations USING COVERING INDEX ix_image_locations_status (status=? AND deleted=?)',
      search('sqlite_autoindex_images_1', 'id=?'),
    ])
  })
})
