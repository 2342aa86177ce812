import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { recover } from 'mullion/images'
import type { Logger } from 'pino'
import { buildApp } from '../app.ts'
import type { Config } from '../config/config.ts'
import { startBackground } from './background.ts'
import { holdDataDir } from './data-dir.ts'
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

/** The name under which copies are claimed. One server works on a data directory, so one name will do. */
const WORKER = 'server'

/**
 * Opens everything, repairs what an earlier process left half done, and listens. Throws StartFailure or a MullionError
 * with words for the operator; what was opened by then is closed again.
 */
export async function startServer(config: Config, log: Logger): Promise<RunningServer> {
  const opened: (() => unknown)[] = []
  try {
    const dataDir = holdDataDir(config.dataDir)
    opened.push(() => dataDir.release())
    const { ports, stores, registry } = await openPorts(config, log)
    opened.push(
      () => registry.close(),
      () => stores.close(),
    )
    await recover(ports, { worker: WORKER, log: sayTo(log) })
    const stopping = new AbortController()
    const app = buildApp({ ...ports, stopping: stopping.signal }, appSettings(config, log))
    opened.push(() => app.close())
    const url = await listen(app, config)
    const background = startBackground(ports, config, WORKER, log)
    let stopped: Promise<void> | undefined
    const parts = { app, abortTransfers: () => stopping.abort(), background, stores, registry, dataDir, log }
    const stop = () => (stopped ??= stopServer(parts, inMs(config.shutdownGrace)))
    return { url, writable: config.auth.flavour === 'trusted' || allowsAnonymousWrites(config), stop }
  } catch (error) {
    for (const close of opened.toReversed()) await close()
    throw error
  }
}

async function listen(app: FastifyInstance, { host, port, clientSocketTimeout }: Config): Promise<string> {
  app.server.setTimeout(inMs(clientSocketTimeout))
  try {
    await app.listen({ host, port, listenTextResolver: (address) => `listening on ${address}` })
  } catch (error) {
    const reason = REASONS[codeOf(error) ?? '']
    if (reason === undefined) throw error
    throw new StartFailure(`cannot listen on ${host}:${port}: ${reason}`, { cause: error })
  }
  if (!app.server.listening) await once(app.server, 'listening')
  return urlOf(app.server.address() as AddressInfo)
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use (another: port, or MULLION_PORT)',
  EACCES: 'this user may not use the port',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'the host name cannot be looked up',
}
