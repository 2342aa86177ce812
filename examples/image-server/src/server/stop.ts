import type { FastifyInstance } from 'fastify'
import type { SqlRegistry } from '@mullion/sql'
import type { Stores } from 'mullion'
import type { Logger } from 'pino'
import type { DiskCache } from '../cache/index.ts'
import type { ServerNotifier } from '../notifications/notifier.ts'
import type { Background } from './background.ts'
import type { DataDir } from './data-dir.ts'

export interface ServerParts {
  readonly app: FastifyInstance
  /** Ends the uploads and downloads that run. */
  abortTransfers(): void
  readonly background: Background
  readonly cache: DiskCache | undefined
  readonly stores: Stores
  readonly registry: SqlRegistry
  readonly notifier: ServerNotifier
  readonly dataDir: DataDir
  readonly log: Logger
}

/** How long an aborted transfer may take to record its end and answer, before its connection is cut. */
const ABORT_MS = 4_000

/**
 * Takes no more connections or work, gives what runs `graceMs`, then aborts it: uploads end in killed, copies are given
 * back. The stores and the registry stay open until all of them have cleaned up and recorded their end. Rejects when something would not end.
 */
export async function stopServer(parts: ServerParts, graceMs: number): Promise<void> {
  const { app, abortTransfers, background, cache, stores, registry, notifier, dataDir, log } = parts
  const answered = app.close()
  const over = [answered, background.drain()]
  if (!(await within(graceMs, over))) {
    log.warn('the time is over: aborting the transfers that still run')
    abortTransfers()
    over.push(background.abort())
    if (!(await within(ABORT_MS, over))) {
      log.warn('cutting the connections that are still open')
      app.server.closeAllConnections()
    }
  }
  over.push(Promise.resolve(cache?.close()), stores.close())
  if (!(await within(ABORT_MS, over))) throw new Error('a transfer did not end after it was aborted')
  await registry.close()
  await notifier.close()
  dataDir.release()
}

/** Whether all of it is over within `ms`; rejects as soon as one of them does. */
async function within(ms: number, work: readonly Promise<unknown>[]): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => late.resolve(false), ms)
  try {
    return await Promise.race([Promise.all(work).then(() => true), late.promise])
  } finally {
    clearTimeout(timer)
  }
}
