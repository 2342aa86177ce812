import { isMullionError } from 'mullion'
import { type Claim, endUpload, type ImageStatus, type OpenTask, type Task } from 'mullion/images'
import type { Diagnosis } from './findings.ts'

/** Looks for tasks that nobody does any more, and for those that nobody can do. */
export async function examineTasks(run: Diagnosis): Promise<number> {
  const tasks = await run.ports.tasks.list()
  for (const task of tasks) {
    run.signal.throwIfAborted()
    if (isHeld(run, task)) continue
    const status = await statusOf(run, task.imageId)
    const about = { image: task.imageId, task: task.id }
    if (status === undefined || GONE.has(status)) {
      const detail = `a ${task.kind} for an image that is ${status ?? 'not there'}`
      await run.report({ code: 'task-orphaned', ...about, detail }, () => end(run, task))
    } else if (task.held) {
      const detail = `a ${task.kind} that ${task.held.worker} held until ${task.held.until.toISOString()}`
      await run.report({ code: 'task-stalled', ...about, detail }, () => free(run, task))
    }
  }
  return tasks.length
}

const GONE: ReadonlySet<ImageStatus> = new Set(['deleted', 'pending_delete', 'killed'])

/** Whether somebody does it, or a running server may be about to take it up. */
function isHeld({ startedAt, graceMs }: Diagnosis, { held, createdAt }: OpenTask): boolean {
  const since = held === undefined ? createdAt : held.until
  return since.getTime() > startedAt.getTime() - graceMs
}

async function statusOf({ ports: { images } }: Diagnosis, id: string): Promise<ImageStatus | undefined> {
  try {
    return (await images.get(id)).status
  } catch (error) {
    if (isMullionError(error, 'not_found')) return undefined
    throw error
  }
}

/** Only what somebody held can be settled in his place; a server ends the others when their turn comes. */
async function end(run: Diagnosis, task: OpenTask): Promise<string | undefined> {
  if (!task.held) return 'a running server ends it at its turn'
  if (task.kind === 'upload') return endUploads(run)
  return unlessTaken(() => run.ports.tasks.settle(claimOf(task, task.held), 'its image is gone'))
}

async function free(run: Diagnosis, task: OpenTask): Promise<string | undefined> {
  if (!task.held) return undefined
  if (task.kind === 'upload') return endUploads(run)
  return unlessTaken(() => run.ports.tasks.giveBack(claimOf(task, task.held)))
}

/** As a server does at its start: what it can claim, nobody holds. */
async function endUploads({ ports, say, signal }: Diagnosis): Promise<undefined> {
  for (;;) {
    signal.throwIfAborted()
    const claim = await ports.tasks.claim(ports.worker, 'upload')
    if (!claim) return
    await endUpload(ports, claim, say)
  }
}

async function unlessTaken(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (isMullionError(error, 'conflict')) return 'somebody took it up meanwhile'
    throw error
  }
}

/** The claim of whoever held it: its task is not read, for that may be sealed. */
function claimOf({ id, kind, imageId, attempts }: OpenTask, held: OpenTask['held']): Claim {
  const task = { id, kind, imageId } as Task
  return { task, worker: held?.worker ?? '', token: held?.token ?? '', attempt: attempts, leaseMs: 0 }
}
