import { setTimeout as sleep } from 'node:timers/promises'
import { abortScope } from '../abort.ts'
import { type Log, reasonOf } from './announced.ts'
import { type CopyOptions, copy } from './copy.ts'
import { mayGoOn } from './give-up.ts'
import { settle } from './hold.ts'
import type { Ports } from './ports.ts'
import { endUpload } from './sweep.ts'
import type { Claim, CopyTask, Task } from './tasks.ts'

export interface WorkerOptions extends Omit<CopyOptions, 'signal'> {
  /** Copies at once. */
  readonly concurrency: number
  /** Aborting stops claiming, and interrupts what runs. */
  readonly signal: AbortSignal
  /** Aborting stops claiming; what runs goes on to its end. */
  readonly drain?: AbortSignal
  /** How often to look for tasks when there was none. */
  readonly pollMs: number
  readonly log: Log
}

/**
 * Does copies, and ends uploads whose process died, until a signal aborts; resolves once what ran is given back or
 * settled. Never rejects.
 */
export async function runWorker(ports: Ports, options: WorkerOptions): Promise<void> {
  const copying = Array.from({ length: options.concurrency }, () =>
    runLane(ports, options, 'copy', (claim) => runTask(ports, claim, options)),
  )
  const ending = runLane(ports, options, 'upload', (claim) => endUpload(ports, claim, options.log))
  await Promise.all([...copying, ending])
}

async function runLane<K extends Task['kind']>(
  ports: Ports,
  { signal, drain, pollMs, log }: WorkerOptions,
  kind: K,
  run: (claim: Claim<Extract<Task, { kind: K }>>) => Promise<void>,
): Promise<void> {
  using claiming = abortScope(signal, drain)
  const rest = (): Promise<void> => sleep(pollMs, undefined, { signal: claiming.signal }).catch(() => {})
  while (!claiming.signal.aborted) {
    try {
      const claim = await ports.tasks.claim(ports.worker, kind)
      if (claim) await run(claim)
      else await rest()
    } catch (error) {
      if (signal.aborted) return
      log('task could not be done', { error: reasonOf(error) })
      await rest()
    }
  }
}

/** Does one copy and settles its task, well or badly; when aborted it gives the task back. Rejects only when the queue does. */
export async function runTask(ports: Ports, claim: Claim<CopyTask>, options: CopyOptions = {}): Promise<void> {
  try {
    await copy(ports, claim, options)
  } catch (error) {
    if (options.signal?.aborted || mayGoOn(error)) await ports.tasks.giveBack(claim)
    else await settle(ports, claim, reasonOf(error))
    return
  }
  await settle(ports, claim)
}
