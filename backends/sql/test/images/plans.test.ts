import { CompiledQuery, Kysely, type Transaction } from 'kysely'
import type { ImageQuery } from 'mullion/images'
import { describe, expect, it, onTestFinished } from 'vitest'
import { idsQuery } from '../../src/images/list.ts'
import type { Place } from '../../src/images/order.ts'
import { migrate } from '../../src/migrations/migrate.ts'
import type { Tables } from '../../src/schema.ts'
import { openSqlite } from '../../src/sqlite/engine.ts'
import { everything } from '../contract/ports.ts'

const PLACE: Place = ['2020-01-01T00:00:00.000Z', 'id']
const MINE = { kind: 'visible', owner: 'me' } as const

/** What SQLite says it will do, https://www.sqlite.org/eqp.html. */
async function steps(query: ImageQuery, after?: Place): Promise<readonly string[]> {
  const engine = await openSqlite(':memory:', 0)
  const db = new Kysely<Tables>({ dialect: engine.dialect })
  onTestFinished(() => db.destroy())
  await migrate(db, engine)
  const { sql: text, parameters } = idsQuery(db as Transaction<Tables>, query, after).compile()
  const { rows } = await db.executeQuery<{ detail: string }>(
    CompiledQuery.raw(`explain query plan ${text}`, [...parameters]),
  )
  return rows.map(({ detail }) => detail)
}

/** The steps that read a table. */
async function plan(query: ImageQuery, after?: Place): Promise<readonly string[]> {
  return (await steps(query, after)).filter((step) => /\b(images|image_\w+)\b/.test(step))
}

describe('the plan of a list', () => {
  it.each([
    ['of a tenant', everything({ scope: MINE }), undefined],
    ['of a tenant after a marker', everything({ scope: MINE }), PLACE],
  ])('%s reads public, owned and shared images by an index each', async (_what, query, after) => {
    const range = after ? ' AND created_at<?' : ''
    expect(await plan(query, after)).toEqual([
      `SEARCH images USING COVERING INDEX visibility_image_idx (visibility=? AND hidden=?${range})`,
      `SEARCH images USING COVERING INDEX owner_image_idx (owner=? AND hidden=?${range})`,
      'SEARCH image_members USING COVERING INDEX ix_image_members_member (member=? AND deleted=?)',
      'SEARCH images USING INDEX sqlite_autoindex_images_1 (id=?)',
    ])
  })

  it.each([
    ['everything, newest first', everything(), undefined, ['created_at_image_idx (hidden=?)']],
    ['everything after a marker', everything(), PLACE, ['created_at_image_idx (hidden=? AND created_at<?)']],
    [
      'everything, oldest first',
      everything({ sortDirection: 'asc' }),
      PLACE,
      ['created_at_image_idx (hidden=? AND created_at>?)'],
    ],
    [
      'deleted ones, too',
      everything({ includeDeleted: true }),
      undefined,
      ['created_at_image_idx (hidden=?)', 'created_at_image_idx (hidden=?)'],
    ],
    [
      'one status',
      everything({ filters: { status: ['saving'] } }),
      undefined,
      ['status_image_idx (status=? AND hidden=?)'],
    ],
    [
      'changes',
      everything({ filters: { changesSince: new Date(0) }, sortKey: 'updatedAt' }),
      undefined,
      ['updated_at_image_idx (hidden=? AND updated_at>?)'],
    ],
  ])('of %s uses the index of its order', async (_what, query, after, indexes) => {
    expect(await plan(query, after)).toEqual(indexes.map((index) => `SEARCH images USING COVERING INDEX ${index}`))
  })

  it.each([undefined, PLACE])('of images with waiting data starts from those locations', async (after) => {
    expect(await plan(everything({ filters: { locationStatus: 'pending_delete' } }), after)).toEqual([
      'SEARCH image_locations USING COVERING INDEX ix_image_locations_status (status=? AND deleted=?)',
      'SEARCH images USING INDEX sqlite_autoindex_images_1 (id=?)',
    ])
  })

  it.each(['createdAt', 'updatedAt'] as const)('by %s needs no sort of all images', async (sortKey) => {
    const all = await steps(everything({ sortKey }))
    // What the outer query sorts comes after: the few rows of the page.
    expect(all.indexOf('SCAN page')).toBe(all.findIndex((step) => step.startsWith('SEARCH images')) + 1)
  })
})
