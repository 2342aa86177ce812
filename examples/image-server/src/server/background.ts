import { type Ports, runWorker, scrub, sweep } from 'mullion/images'
import type { Logger } from 'pino'
import { type DiskCache, forgetDeleted, prefetch } from '../cache/index.ts'
import type { Config } from '../config/config.ts'
import { storageQuota } from '../config/sections/limits.ts'
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

/**
 * Copies what was asked for, removes the data of deleted images when their time has come, and fills and cleans the
 * cache if there is one.
 */
export function startBackground(ports: Ports, config: Config, log: Logger, cache?: DiskCache): Background {
  const { copies, deletion, limits } = config
  const draining = new AbortController()
  const aborting = new AbortController()
  const copying = runWorker(ports, {
    concurrency: copies.concurrency,
    pollMs: inMs(copies.pollInterval),
    limit: limits.imageSizeCap,
    quota: storageQuota(limits.userStorageQuota),
    signal: aborting.signal,
    drain: draining.signal,
    log: sayTo(log),
  })
  const scrubbing = every(
    inMs(deletion.wakeupTime),
    async () => {
      await scrub(ports, { deletedBefore: dueTime(ports, config), signal: draining.signal, log: sayTo(log) })
      await sweep(ports, sayTo(log))
    },
    {
      signal: draining.signal,
      onFailure: (error) => log.error({ err: error }, 'the scrubber failed; it will run again'),
    },
  )
  const caching = cache && fillAndClean(ports, cache, draining.signal, log)
  const over = Promise.all([copying, scrubbing, caching]).then(() => {})
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

const PREFETCH_PAUSE_MS = 10_000
const CLEAN_MS = 3_600_000

async function fillAndClean(ports: Ports, cache: DiskCache, signal: AbortSignal, log: Logger): Promise<void> {
  const filling = prefetch(ports, cache, { signal, pauseMs: PREFETCH_PAUSE_MS, log: sayTo(log) })
  const cleaning = every(CLEAN_MS, () => forgetDeleted(ports, cache, signal), {
    signal,
    onFailure: (error) => log.error({ err: error }, 'the cache was not cleaned; it will be tried again'),
  })
  await Promise.all([filling, cleaning])
}

function dueTime({ now }: Ports, { deletion }: Config): Date {
  return new Date(now().getTime() - inMs(deletion.scrubTime))
}
