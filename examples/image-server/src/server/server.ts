import { once } from 'node:events'
import { hostname } from 'node:os'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { recover } from 'mullion/images'
import type { Logger } from 'pino'
import { buildApp } from '../app.ts'
import type { Config } from '../config/config.ts'
import { pipelineOf } from '../pipeline/pipeline.ts'
import { startBackground } from './background.ts'
import { holdDataDir } from './data-dir.ts'
import { closeAll } from './close-all.ts'
import { codeOf, StartFailure } from './failure.ts'
import { urlOf } from './greeting.ts'
import { sayTo } from './log.ts'
import { openPorts } from './ports.ts'
import { allowsAnonymousWrites, appSettings, inMs } from './settings.ts'
import { stopServer } from './stop.ts'

export interface RunningServer {
  /** Without a slash at its end. */
  readonly url: string
  /** Whether a request without an identity may change something, or identities are asked for. */
  readonly writable: boolean
  /** Ends everything, in order; a second call waits for the first. */
  stop(): Promise<void>
}

/**
 * Opens everything, repairs what an earlier process left half done, and listens. Throws StartFailure or a MullionError
 * with words for the operator; what was opened by then is closed again.
 */
export async function startServer(config: Config, log: Logger): Promise<RunningServer> {
  const opened: (() => unknown)[] = []
  try {
    const dataDir = holdDataDir(config.dataDir)
    opened.push(() => dataDir.release())
    const { ports, stores, registry, cache, notifier, adminRule } = await openPorts(
      config,
      log,
      `${hostname()}.${dataDir.id}`,
    )
    opened.push(
      () => notifier.close(),
      () => registry.close(),
      () => stores.close(),
      () => cache?.close(),
    )
    await recover(ports, { log: sayTo(log) })
    const stopping = new AbortController()
    const app = buildApp({ ...ports, stopping: stopping.signal }, { ...appSettings(config, log), adminRule })
    opened.push(() => app.close())
    const url = await listen(app, config)
    const background = startBackground(ports, config, log, cache)
    let stopped: Promise<void> | undefined
    const abortTransfers = (): void => stopping.abort()
    const parts = { app, abortTransfers, background, cache, stores, registry, notifier, dataDir, log }
    const stop = () => (stopped ??= stopServer(parts, inMs(config.shutdownGrace)))
    const asked = pipelineOf(config.pipeline).identity !== undefined
    return { url, writable: asked || allowsAnonymousWrites(config), stop }
  } catch (error) {
    await closeAll(opened, log)
    throw error
  }
}

/** Resolves with the URL. Throws StartFailure, which names the key of the port. */
export async function listen(
  app: FastifyInstance,
  { host, port, clientSocketTimeout }: Pick<Config, 'host' | 'port' | 'clientSocketTimeout'>,
  portKey = 'port, or MULLION_PORT',
): Promise<string> {
  app.server.setTimeout(inMs(clientSocketTimeout))
  try {
    await app.listen({ host, port, listenTextResolver: (address) => `listening on ${address}` })
  } catch (error) {
    const reason = REASONS[codeOf(error) ?? '']
    if (reason === undefined) throw error
    throw new StartFailure(`cannot listen on ${host}:${port}: ${reason.replace('%s', portKey)}`, { cause: error })
  }
  if (!app.server.listening) await once(app.server, 'listening')
  return urlOf(app.server.address() as AddressInfo)
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use (another: %s)',
  EACCES: 'this user may not use the port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'the host name cannot be looked up',
}
