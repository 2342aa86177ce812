import type { LoadedConfig } from '../config/load.ts'
import { greeting } from './greeting.ts'
import { createLog } from './log.ts'
import { startServer } from './server.ts'
import { untilAskedToStop } from './signals.ts'

/** Serves until a signal, and resolves once everything is over. Rejects what `startServer` rejects with. */
export async function serve({ config, warnings }: LoadedConfig, print: (text: string) => void): Promise<void> {
  const log = createLog(config.log.level)
  for (const warning of warnings) log.warn(warning)
  const server = await startServer(config, log)
  print(greeting(config, server.url, server.writable))
  const signal = await untilAskedToStop()
  log.info({ signal }, `stopping, transfers may go on for ${config.shutdownGrace} s`)
  await server.stop()
  log.info('stopped')
}
