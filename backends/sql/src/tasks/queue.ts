import { MullionError } from 'mullion'
import { type Claim, claimToken, type Log, type OpenTask, type Seal, type Task, type TaskQueue } from 'mullion/images'
import type { Database, Query } from '../database.ts'
import type { TaskStatus, TimeText } from '../schema.ts'
import { rememberUnreadable, type Unreadable } from '../unreadable.ts'
import { checkText, isStorable, toTime } from '../values.ts'
import { type Clock, leaseClock } from './clock.ts'
import { closePayload, type TaskRow, toTask } from './payload.ts'
import { createPruning } from './prune.ts'

export interface TaskQueueOptions {
  readonly leaseMs: number
  /** Instead of the database's time. */
  readonly now?: (() => Date) | undefined
  /** Hears of each task that cannot be read. Default nobody. */
  readonly log?: Log | undefined
}

const OPEN: readonly TaskStatus[] = ['waiting', 'running']
const WAITING = { status: 'waiting', worker: null, token: null, lease_until: null, started_at: null } as const

/** What the statements of a queue need beside themselves. */
interface Leases {
  readonly database: Database
  readonly seal: Seal
  readonly leaseMs: number
  readonly clock: Clock
  readonly unreadable: Unreadable
}

export function taskQueue(database: Database, seal: Seal, { leaseMs, now, log }: TaskQueueOptions): TaskQueue {
  const clock = leaseClock(database.engine, now)
  const leases: Leases = { database, seal, leaseMs, clock, unreadable: rememberUnreadable('task', log) }
  const prune = createPruning(database.engine)
  return {
    enqueue: (task) => database.write('enqueue task', (query) => insert(query, leases, task)),
    begin: async (task, worker) => {
      await database.write('begin task', (query) => insert(query, leases, task, worker))
      return { task, worker, token: claimToken(task.id, 1), attempt: 1, leaseMs }
    },
    claim: async <K extends Task['kind']>(worker: string, kind: K) => {
      const claimed = await database.write('claim task', (query) => claim(query, leases, worker, kind))
      return claimed as Claim<Extract<Task, { kind: K }>> | undefined
    },
    renew: (claimed) =>
      database.write('renew task', async (query) => {
        if (!(await change(query, claimed, { lease_until: leaseEnd(leases, await clock(query)) }))) throw lost(claimed)
      }),
    settle: (claimed, failure) =>
      database.write('settle task', async (query) => {
        const at = await clock(query)
        if (!(await change(query, claimed, settled(failure, at)))) throw lost(claimed)
        await prune(query, at)
      }),
    giveBack: async (claimed) =>
      void (await database.write('give task back', (query) => change(query, claimed, WAITING))),
    release: (worker) => database.write('release tasks', (query) => release(query, worker)),
    list: () => database.read('list tasks', async (query) => list(query, await clock(query))),
  }
}

async function insert(query: Query, leases: Leases, task: Task, worker?: string): Promise<void> {
  const at = await leases.clock(query)
  const holder = worker === undefined ? WAITING : held(leases, task.id, 1, worker, at)
  try {
    await query
      .insertInto('tasks')
      .values({ ...toRow(leases.seal, task), ...holder, created_at: toTime(at) })
      .execute()
  } catch (error) {
    throw leases.database.isTaken(error) ? idTaken(task, error) : error
  }
}

async function claim(query: Query, leases: Leases, worker: string, kind: Task['kind']): Promise<Claim | undefined> {
  const at = await leases.clock(query)
  const found = await oldestReadable(query, leases, kind, toTime(at))
  if (!found) return undefined
  const { row, task } = found
  const attempt = row.attempts + 1
  await query
    .updateTable('tasks')
    .set(held(leases, task.id, attempt, worker, at))
    .where('seq', '=', row.seq)
    .execute()
  return { task, worker, token: claimToken(task.id, attempt), attempt, leaseMs: leases.leaseMs }
}

/** What a row says once `worker` holds it. */
function held(leases: Leases, id: string, attempts: number, worker: string, from: Date) {
  return {
    status: 'running' as const,
    worker: checkText('worker', worker, 255),
    token: claimToken(id, attempts),
    attempts,
    started_at: toTime(from),
    lease_until: leaseEnd(leases, from),
  }
}

function leaseEnd({ leaseMs }: Leases, from: Date): TimeText {
  return toTime(new Date(from.getTime() + leaseMs))
}

/** Changes the task if the claim holds it still. */
async function change(query: Query, { task, token }: Claim, changes: object): Promise<boolean> {
  const { numUpdatedRows } = await query
    .updateTable('tasks')
    .set(changes)
    .where('id', '=', task.id)
    .where('token', '=', token)
    .where('status', '=', 'running')
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}

async function release(query: Query, worker: string): Promise<void> {
  if (!isStorable(worker)) return
  await query.updateTable('tasks').set(WAITING).where('status', '=', 'running').where('worker', '=', worker).execute()
}

function toRow(seal: Seal, task: Task) {
  return {
    kind: task.kind,
    id: checkText('id', task.id, 36),
    image_id: checkText('imageId', task.imageId, 36),
    payload: closePayload(seal, task),
  }
}

function settled(failure: string | undefined, at: Date) {
  return {
    ...WAITING,
    status: failure === undefined ? 'done' : 'failed',
    message: failure === undefined ? null : storable(failure),
    payload: null, // nobody needs its secrets any more
    finished_at: toTime(at),
  }
}

/** Why a task failed is said even when the words for it come from elsewhere. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD')
}

type FreeRow = TaskRow & { readonly seq: number; readonly attempts: number }

/** What cannot be read is passed by: it stays where an operator finds it, and the others get their turn. */
async function oldestReadable(
  query: Query,
  { database, seal, unreadable }: Leases,
  kind: Task['kind'],
  now: TimeText,
): Promise<{ readonly row: FreeRow; readonly task: Task } | undefined> {
  const except = unreadable.ids
  let after = 0
  for (;;) {
    const row = await oldestFree(query, { kind, now, after, except }, database.engine.lockRows)
    if (!row) return undefined
    try {
      return { row, task: toTask(seal, row) }
    } catch (error) {
      unreadable.add(row.id, error)
      after = row.seq
    }
  }
}

interface Free {
  readonly kind: Task['kind']
  readonly now: TimeText
  /** Behind this place in the queue. */
  readonly after: number
  /** Ids. */
  readonly except: readonly string[]
}

/** The oldest that waits, or whose lease ran out. Locked; those that somebody else is about to take are left out. */
async function oldestFree(
  query: Query,
  { kind, now, after, except }: Free,
  lockRows: boolean,
): Promise<FreeRow | undefined> {
  const first = (status: TaskStatus, expired: boolean) =>
    query
      .selectFrom('tasks')
      .select(['seq', 'id', 'kind', 'image_id', 'payload', 'attempts'])
      .where('kind', '=', kind)
      .where('status', '=', status)
      .where('seq', '>', after)
      .$if(except.length > 0, (select) => select.where('id', 'not in', except))
      .$if(expired, (select) => select.where('lease_until', '<=', now))
      .orderBy('seq')
      .limit(1)
      .$if(lockRows, (select) => select.forUpdate().skipLocked())
      .executeTakeFirst()
  const waiting = await first('waiting', false)
  const expired = await first('running', true)
  if (!waiting || !expired) return waiting ?? expired
  return waiting.seq < expired.seq ? waiting : expired
}

async function list(query: Query, now: Date): Promise<readonly OpenTask[]> {
  const rows = await query.selectFrom('tasks').selectAll().where('status', 'in', OPEN).orderBy('seq').execute()
  return rows.map(
    ({ id, kind, image_id: imageId, created_at: createdAt, attempts, worker, token, lease_until: end }) => {
      const until = new Date(end ?? 0)
      const isHeld = worker !== null && token !== null
      return {
        id,
        kind: kind as Task['kind'],
        imageId,
        createdAt: new Date(createdAt),
        attempts,
        held: isHeld ? { worker, token, until, expired: until <= now } : undefined,
      }
    },
  )
}

function idTaken({ id }: Task, cause: unknown): MullionError<'already_exists'> {
  return new MullionError('already_exists', `task ${id}: the id is taken`, { details: { key: id }, cause })
}

/** Somebody else holds the task, or it is over. */
function lost({ task: { id, imageId } }: Claim): MullionError<'conflict'> {
  return new MullionError('conflict', `task ${id}: is no longer held by this claim`, {
    details: { expected: 'a claim that holds the task' },
    context: { imageId },
  })
}
