import type { Query } from '../database.ts'
import type { Engine } from '../engine.ts'
import { toTime } from '../values.ts'

/** Of the tasks that are over, this many are kept, and up to `PRUNE_EVERY` more … */
export const KEPT_TASKS = 1000
/** … and none that ended longer ago than this. */
export const KEPT_MS: number = 30 * 24 * 60 * 60 * 1000
/** Settled tasks from one look at what is kept to the next. */
export const PRUNE_EVERY = 50
/** At once, so that a settled task never waits for a large deletion. More than come in between. */
const PRUNED = 100

/** Forgets tasks that were over long ago, at the first of the tasks that are settled and then now and again. */
export function createPruning({ lockRows }: Engine): (query: Query, now: Date) => Promise<void> {
  let settled = 0
  return async (query, now) => {
    const isDue = settled % PRUNE_EVERY === 0
    settled += 1
    if (isDue) await prune(query, now, lockRows)
  }
}

/** The rows that go are locked before: who settles at the same time leaves them alone. Those that stay are not. */
async function prune(query: Query, now: Date, lockRows: boolean): Promise<void> {
  const last = await query
    .selectFrom('tasks')
    .select(['finished_at', 'seq'])
    .where('finished_at', 'is not', null)
    .orderBy('finished_at', 'desc')
    .orderBy('seq', 'desc')
    .offset(KEPT_TASKS)
    .limit(1)
    .executeTakeFirst()
  const old = toTime(new Date(now.getTime() - KEPT_MS))
  const { finished_at: end, seq } = last?.finished_at && last.finished_at >= old ? last : { finished_at: old, seq: 0 }
  const found = await query
    .selectFrom('tasks')
    .select('seq')
    .where('finished_at', '<=', end)
    .where((row) => row.or([row('finished_at', '<', end), row('seq', '<=', seq)]))
    .orderBy('finished_at')
    .orderBy('seq')
    .limit(PRUNED)
    .$if(lockRows, (select) => select.forUpdate().skipLocked())
    .execute()
  if (found.length === 0) return
  const seqs = found.map((row) => row.seq)
  await query.deleteFrom('tasks').where('seq', 'in', seqs).execute()
}
