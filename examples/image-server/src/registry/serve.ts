import { openRegistry } from '@mullion/sql'
import type { Logger } from 'pino'
import type { Config } from '../config/config.ts'
import { refusal } from '../config/document.ts'
import { openPolicy } from '../policy/open.ts'
import { pipelineOf } from '../pipeline/pipeline.ts'
import { holdDataDir } from '../server/data-dir.ts'
import { createLog, sayTo } from '../server/log.ts'
import { sqlConfig } from '../server/database.ts'
import { listen } from '../server/server.ts'
import { appSettings, inMs, isLoopback } from '../server/settings.ts'
import { untilAskedToStop } from '../server/signals.ts'
import { buildRegistryApp, type RegistryAppSettings } from './app.ts'

interface RunningRegistry {
  /** Without a slash at its end. */
  readonly url: string
  /** Answers what runs, or cuts it off when the grace is over, and closes everything. */
  stop(): Promise<void>
}

/** A request is small: a client that has not sent it by then does not want to. */
const REQUEST_TIMEOUT_MS = 60_000

/** Throws `invalid_config` for what only the registry minds. */
export function checkRegistryConfig({ registry: { url } }: Config): void {
  if (url === undefined) return
  throw refusal('registry.url', 'a registry keeps the records itself: leave it out in the file of mullion-registry')
}

/** Serves until a signal, and resolves once everything is over. Rejects what `startRegistry` rejects with. */
export async function serveRegistry(
  config: Config,
  warnings: readonly string[],
  print: (text: string) => void,
): Promise<void> {
  const log = createLog(config.log.level)
  for (const warning of warnings) log.warn(warning)
  const registry = await startRegistry(config, log)
  print(`mullion registry listens on ${registry.url}\n${caution(config)}`)
  const signal = await untilAskedToStop()
  log.info({ signal }, 'stopping')
  await registry.stop()
  log.info('stopped')
}

/** Opens the database and listens. Throws StartFailure or a MullionError with words for the operator. */
async function startRegistry(config: Config, log: Logger): Promise<RunningRegistry> {
  const opened: (() => unknown)[] = []
  const close = async (): Promise<void> => {
    for (const step of opened.splice(0).toReversed()) await step()
  }
  try {
    const dataDir = holdDataDir(config.dataDir)
    opened.push(() => dataDir.release())
    const registry = await openRegistry(sqlConfig(config), { migrate: config.database.migrate, log: sayTo(log) })
    opened.push(() => registry.close())
    const app = buildRegistryApp(registry, settingsOf(config, log))
    opened.push(() => ended(app.close(), inMs(config.shutdownGrace), () => app.server.closeAllConnections()))
    const url = await listen(app, placeOf(config), 'registry.port, or MULLION_REGISTRY_PORT')
    let stopped: Promise<void> | undefined
    return { url, stop: () => (stopped ??= close()) }
  } catch (error) {
    await close()
    throw error
  }
}

/** The same configuration, where this program listens. */
function placeOf(config: Config): Config {
  const { host, port } = config.registry
  return { ...config, host, port }
}

function settingsOf(config: Config, log: Logger): RegistryAppSettings {
  const adminRule = openPolicy(config.policy, config.auth.adminRole, log)
  return { ...appSettings(placeOf(config), log), adminRule, requestTimeoutMs: REQUEST_TIMEOUT_MS }
}

function caution(config: Config): string {
  const { identity } = pipelineOf(config.pipeline)
  if (isLoopback(config.registry.host)) return ''
  if (identity === 'trusted') return 'identity headers are believed: only the servers that set them may reach it\n'
  if (identity !== undefined || config.auth.allowAnonymousWrites === true) return ''
  return 'read-only and without the records of services: other machines need an identity; set pipeline.flavour\n'
}

async function ended(closing: Promise<unknown>, graceMs: number, cut: () => void): Promise<void> {
  const timer = setTimeout(cut, graceMs)
  try {
    await closing
  } finally {
    clearTimeout(timer)
  }
}
