import { type Ports, runWorker, scrub } from 'mullion/images'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { sayTo } from './log.ts'
import { every } from './loop.ts'
import { inMs } from './settings.ts'

/** Work that no request waits for. */
export interface Background {
  /** Takes no new work; resolves when what runs is over. */
  drain(): Promise<void>
  /** Interrupts what runs; copies are given back to the queue. Resolves when that is done. */
  abort(): Promise<void>
}

/** Copies what was asked for, and removes the data of deleted images when their time has come. */
export function startBackground(ports: Ports, config: Config, worker: string, log: Logger): Background {
  const { copies, deletion, limits } = config
  const draining = new AbortController()
  const aborting = new AbortController()
  const copying = runWorker(ports, {
    worker,
    concurrency: copies.concurrency,
    pollMs: inMs(copies.pollInterval),
    limit: limits.imageSizeCap,
    signal: aborting.signal,
    drain: draining.signal,
    log: sayTo(log),
  })
  const scrubbing = every(
    inMs(deletion.wakeupTime),
    () => scrub(ports, { deletedBefore: dueTime(ports, config), signal: draining.signal, log: sayTo(log) }),
    {
      signal: draining.signal,
      onFailure: (error) => log.error({ err: error }, 'the scrubber failed; it will run again'),
    },
  )
  const over = Promise.all([copying, scrubbing]).then(() => {})
  return {
    drain() {
      draining.abort()
      return over
    },
    abort() {
      draining.abort()
      aborting.abort()
      return over
    },
  }
}

function dueTime({ now }: Ports, { deletion }: Config): Date {
  return new Date(now().getTime() - inMs(deletion.scrubTime))
}
