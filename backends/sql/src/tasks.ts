import type { Kysely } from 'kysely'
import { MullionError } from 'mullion'
import type { Task, TaskQueue } from 'mullion/images'
import type { Database, Query } from './database.ts'
import type { Tables, TaskStatus } from './schema.ts'
import type { Seal } from './seal.ts'
import { checkText, toTime } from './values.ts'

/** Of the tasks that are over, this many are kept … */
export const KEPT_TASKS = 1000
/** … and none that ended longer ago than this. */
export const KEPT_MS: number = 30 * 24 * 60 * 60 * 1000

const OPEN: readonly TaskStatus[] = ['waiting', 'running']

export function taskQueue(database: Database, seal: Seal, now: () => Date): TaskQueue {
  return {
    enqueue: (task) => database.write('enqueue task', (query) => enqueue(query, seal, task, now(), database.isTaken)),
    claim: (worker) => database.direct('claim task', (query) => claim(query, seal, worker, now())),
    settle: (id, failure) => database.write('settle task', (query) => settle(query, id, failure, now())),
    release: (worker) =>
      database.direct('release tasks', async (query) => {
        const changes = { status: 'waiting', worker: null, started_at: null } as const
        await query
          .updateTable('tasks')
          .set(changes)
          .where('status', '=', 'running')
          .where('worker', '=', worker)
          .execute()
      }),
    openImageIds: () =>
      database.direct('list open tasks', async (query) => {
        const rows = await query.selectFrom('tasks').select('image_id').where('status', 'in', OPEN).execute()
        return new Set(rows.map((row) => row.image_id))
      }),
  }
}

async function enqueue(query: Query, seal: Seal, task: Task, now: Date, isTaken: Database['isTaken']): Promise<void> {
  const { kind, id, imageId, ...payload } = task
  const values = {
    kind,
    id: checkText('id', id, 36),
    image_id: checkText('imageId', imageId, 36),
    payload: seal.close(JSON.stringify(payload), { imageId, purpose: 'task' }),
    status: 'waiting' as const,
    created_at: toTime(now),
  }
  try {
    await query.insertInto('tasks').values(values).execute()
  } catch (cause) {
    if (!isTaken(cause)) throw cause
    throw new MullionError('already_exists', `task ${id}: the id is taken`, { details: { key: id }, cause })
  }
}

/** One statement takes the task, and only from `waiting`: whoever changes the row owns it, the others look again. */
async function claim(query: Kysely<Tables>, seal: Seal, worker: string, now: Date): Promise<Task | undefined> {
  for (;;) {
    const row = await query
      .selectFrom('tasks')
      .select(['seq', 'id', 'kind', 'image_id', 'payload'])
      .where('status', '=', 'waiting')
      .orderBy('seq')
      .limit(1)
      .executeTakeFirst()
    if (!row) return undefined
    const task = toTask(seal, row) // before it is taken: an unreadable task stays where an operator finds it
    const { numUpdatedRows } = await query
      .updateTable('tasks')
      .set({ status: 'running', worker, started_at: toTime(now) })
      .where('seq', '=', row.seq)
      .where('status', '=', 'waiting')
      .executeTakeFirstOrThrow()
    if (numUpdatedRows > 0n) return task
  }
}

interface TaskRow {
  readonly id: string
  readonly kind: string
  readonly image_id: string
  readonly payload: string | null
}

function toTask(seal: Seal, { id, kind, image_id: imageId, payload }: TaskRow): Task {
  if (kind !== 'copy') {
    throw new MullionError('internal', `task ${id}: unknown kind "${kind}"`, { details: {}, context: { imageId } })
  }
  const { uri, store } = JSON.parse(seal.open(payload ?? '', { imageId, purpose: 'task' })) as {
    readonly uri: string
    readonly store?: string
  }
  return { kind, id, imageId, uri, store }
}

async function settle(query: Query, id: string, failure: string | undefined, now: Date): Promise<void> {
  await query
    .updateTable('tasks')
    .set({
      status: failure === undefined ? 'done' : 'failed',
      message: failure ?? null,
      payload: null, // nobody needs its secrets any more
      worker: null,
      finished_at: toTime(now),
    })
    .where('id', '=', id)
    .where('status', 'in', OPEN)
    .execute()
  await prune(query, now)
}

async function prune(query: Query, now: Date): Promise<void> {
  const oldest = toTime(new Date(now.getTime() - KEPT_MS))
  await query.deleteFrom('tasks').where('finished_at', '<', oldest).execute()
  const last = await query
    .selectFrom('tasks')
    .select(['finished_at', 'seq'])
    .where('finished_at', 'is not', null)
    .orderBy('finished_at', 'desc')
    .orderBy('seq', 'desc')
    .limit(1)
    .offset(KEPT_TASKS)
    .executeTakeFirst()
  if (!last?.finished_at) return
  const { finished_at: finishedAt, seq } = last
  await query
    .deleteFrom('tasks')
    .where('finished_at', '<=', finishedAt)
    .where((eb) => eb.or([eb('finished_at', '<', finishedAt), eb('seq', '<=', seq)]))
    .execute()
}
