import { MullionError } from '../../errors.ts'
import type { TaskQueue } from '../ports.ts'
import { type Claim, claimToken, type OpenTask, type Task } from '../tasks.ts'

export interface MemoryTasksOptions {
  /** How long a claim holds a task unless it is renewed. Default 30,000. */
  readonly leaseMs?: number
  readonly now?: () => Date
}

interface Entry {
  readonly task: Task
  readonly createdAt: Date
  attempts: number
  held: { readonly worker: string; readonly token: string; until: Date } | undefined
}

/** A queue in the memory of this process: its tasks do not survive it. */
export function memoryTasks({ leaseMs = 30_000, now = () => new Date() }: MemoryTasksOptions = {}): TaskQueue {
  const open = new Map<string, Entry>()
  const used = new Set<string>()

  const leaseEnd = (): Date => new Date(now().getTime() + leaseMs)
  const isFree = ({ held }: Entry): boolean => held === undefined || held.until <= now()

  function put(task: Task): Entry {
    if (used.has(task.id)) {
      throw new MullionError('already_exists', `task ${task.id}: the id is taken`, { details: { key: task.id } })
    }
    used.add(task.id)
    const entry: Entry = { task, createdAt: now(), attempts: 0, held: undefined }
    open.set(task.id, entry)
    return entry
  }

  function hold<T extends Task>(entry: Entry & { readonly task: T }, worker: string): Claim<T> {
    entry.attempts += 1
    const token = claimToken(entry.task.id, entry.attempts)
    entry.held = { worker, token, until: leaseEnd() }
    return { task: entry.task, worker, token, attempt: entry.attempts, leaseMs }
  }

  function heldBy({ task, token }: Claim): Entry {
    const entry = open.get(task.id)
    if (entry?.held?.token === token) return entry
    throw lost(task)
  }

  return {
    async enqueue(task) {
      put(task)
    },
    begin: async (task, worker) => hold(put(task), worker),
    async claim(worker, kind) {
      type Wanted = Entry & { readonly task: Extract<Task, { kind: typeof kind }> }
      const entry = [...open.values()].find((other): other is Wanted => other.task.kind === kind && isFree(other))
      return entry && hold(entry, worker)
    },
    async renew(claim) {
      const { held } = heldBy(claim)
      if (held) held.until = leaseEnd()
    },
    async settle(claim) {
      heldBy(claim)
      open.delete(claim.task.id)
    },
    async giveBack({ task, token }) {
      const entry = open.get(task.id)
      if (entry?.held?.token === token) entry.held = undefined
    },
    async release(worker) {
      for (const entry of open.values()) if (entry.held?.worker === worker) entry.held = undefined
    },
    list: async () => [...open.values()].map((entry) => shown(entry, isFree(entry))),
  }
}

function shown({ task: { id, kind, imageId }, createdAt, attempts, held }: Entry, expired: boolean): OpenTask {
  return { id, kind, imageId, createdAt, attempts, held: held && { ...held, expired } }
}

/** Somebody else holds the task, or it is over. */
function lost({ id, imageId }: Task): MullionError<'conflict'> {
  return new MullionError('conflict', `task ${id}: is no longer held by this claim`, {
    details: { expected: 'a claim that holds the task' },
    context: { imageId },
  })
}
