import { createRequire } from 'node:module'
import { isMullionError } from 'mullion'
import { type Command, HELP, parseCommand } from '../config/arguments.ts'
import { loadConfig } from '../config/load.ts'
import { storeSpecs } from '../config/stores.ts'
import { transports } from '../notifications/open.ts'
import { openAccess } from '../policy/access.ts'
import { sqlConfig } from './database.ts'
import { StartFailure } from './failure.ts'
import { messageOf } from './message.ts'

/** The program: resolves with its exit code once everything is over. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const command = parseCommand(args, env)
  if (command.kind === 'misuse') return complain(`${command.message} (see --help)`, 2)
  try {
    await execute(command, env)
    return 0
  } catch (error) {
    if (error instanceof StartFailure || isMullionError(error)) return complain(messageOf(error), 1)
    throw error
  }
}

async function execute(command: Exclude<Command, { kind: 'misuse' }>, env: NodeJS.ProcessEnv): Promise<void> {
  if (command.kind === 'help') return print(HELP)
  if (command.kind === 'version') return print(`${version()}\n`)
  const loaded = loadConfig(command.file, env)
  if (command.kind === 'check') {
    await storeSpecs(loaded.config)
    openAccess(loaded.config)
    sqlConfig(loaded.config)
    await transports(loaded.config.notifications)
    for (const warning of loaded.warnings) complain(warning, 0)
    return print('the configuration is good\n')
  }
  const { serve } = await import('./serve.ts')
  return serve(loaded, print)
}

function print(text: string): void {
  process.stdout.write(text)
}

function complain(message: string, exitCode: number): number {
  for (const line of message.split('\n')) process.stderr.write(`mullion-image-server: ${line}\n`)
  return exitCode
}

/** By its own name, which leads to the manifest from the sources and from the build alike. */
function version(): string {
  const manifest = createRequire(import.meta.url)('@mullion/image-server/package.json') as { readonly version: string }
  return manifest.version
}
