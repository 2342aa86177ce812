import { setTimeout as sleep } from 'node:timers/promises'
import { abortScope } from '../abort.ts'
import { type CopyOptions, copy } from './copy.ts'
import type { Ports } from './ports.ts'
import type { Task } from './tasks.ts'
import { reasonOf } from './upload.ts'

export interface WorkerOptions extends Omit<CopyOptions, 'signal'> {
  /** Holds the tasks. One live process has one name; after a crash the same name takes back what it held. */
  readonly worker: string
  /** Tasks at once. */
  readonly concurrency: number
  /** Aborting stops claiming, and interrupts what runs. */
  readonly signal: AbortSignal
  /** Aborting stops claiming; what runs goes on to its end. */
  readonly drain?: AbortSignal
  /** How often to look for tasks when there was none. */
  readonly pollMs: number
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** Does tasks until a signal aborts; resolves once those that ran are given back or settled. Never rejects. */
export async function runWorker(ports: Ports, options: WorkerOptions): Promise<void> {
  const lanes = Array.from({ length: options.concurrency }, () => runLane(ports, options))
  await Promise.all(lanes)
  await ports.tasks.release(options.worker).catch((error: unknown) => {
    options.log('tasks could not be given back', { error: reasonOf(error) })
  })
}

async function runLane(ports: Ports, { worker, signal, drain, pollMs, log, ...options }: WorkerOptions): Promise<void> {
  using claiming = abortScope(signal, drain)
  const rest = (): Promise<void> => sleep(pollMs, undefined, { signal: claiming.signal }).catch(() => {})
  while (!claiming.signal.aborted) {
    try {
      const task = await ports.tasks.claim(worker)
      if (task) await runTask(ports, task, { ...options, signal })
      else await rest()
    } catch (error) {
      if (signal.aborted) return
      log('task could not be done', { error: reasonOf(error) })
      await rest()
    }
  }
}

/**
 * Does one task and settles it, well or badly. When aborted it stays held: whoever aborted gives it back. Rejects only
 * when the queue does.
 */
export async function runTask(ports: Ports, task: Task, options: CopyOptions = {}): Promise<void> {
  try {
    await copy(ports, task, options)
  } catch (error) {
    if (!options.signal?.aborted) await ports.tasks.settle(task.id, reasonOf(error))
    return
  }
  await ports.tasks.settle(task.id)
}
