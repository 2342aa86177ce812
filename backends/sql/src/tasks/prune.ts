import type { Query } from '../database.ts'
import { toTime } from '../values.ts'

/** Of the tasks that are over, this many are kept … */
export const KEPT_TASKS = 1000
/** … and none that ended longer ago than this. */
export const KEPT_MS: number = 30 * 24 * 60 * 60 * 1000
/** At once, so that a settled task never waits for a large deletion. */
const PRUNED = 100

/** Forgets tasks that were over long ago. The rows are chosen first: who settles at the same time leaves them alone. */
export async function prune(query: Query, now: Date, lockRows: boolean): Promise<void> {
  const over = query.selectFrom('tasks').select('seq').where('finished_at', 'is not', null)
  const old = over
    .where('finished_at', '<', toTime(new Date(now.getTime() - KEPT_MS)))
    .orderBy('finished_at')
    .limit(PRUNED)
  const surplus = over.orderBy('finished_at', 'desc').orderBy('seq', 'desc').offset(KEPT_TASKS).limit(PRUNED)
  for (const rows of [old, surplus]) {
    const found = await rows.$if(lockRows, (select) => select.forUpdate().skipLocked()).execute()
    if (found.length === 0) continue
    const seqs = found.map(({ seq }) => seq)
    await query.deleteFrom('tasks').where('seq', 'in', seqs).execute()
  }
}
