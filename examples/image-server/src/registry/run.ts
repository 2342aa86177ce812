import { createRequire } from 'node:module'
import { isMullionError } from 'mullion'
import { type Command, parseCommand } from '../config/arguments.ts'
import { loadConfig } from '../config/load.ts'
import { StartFailure } from '../server/failure.ts'

/** The program: resolves with its exit code once everything is over. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const command = parseCommand(args, env)
  if (command.kind === 'misuse') return complain(`${command.message} (see --help)`, 2)
  try {
    await execute(command, env)
    return 0
  } catch (error) {
    if (error instanceof StartFailure || isMullionError(error)) return complain(error.message, 1)
    throw error
  }
}

async function execute(command: Exclude<Command, { kind: 'misuse' }>, env: NodeJS.ProcessEnv): Promise<void> {
  if (command.kind === 'help') return print(HELP)
  if (command.kind === 'version') return print(`${version()}\n`)
  const { config, warnings } = loadConfig(command.file, env)
  const { checkRegistryConfig, serveRegistry } = await import('./serve.ts')
  checkRegistryConfig(config)
  if (command.kind === 'serve') return serveRegistry(config, warnings, print)
  for (const warning of warnings) complain(warning, 0)
  print('the configuration is good\n')
}

function print(text: string): void {
  process.stdout.write(text)
}

function complain(message: string, exitCode: number): number {
  for (const line of message.split('\n')) process.stderr.write(`mullion-registry: ${line}\n`)
  return exitCode
}

/** By its own name, which leads to the manifest from the sources and from the build alike. */
function version(): string {
  const manifest = createRequire(import.meta.url)('@mullion/image-server/package.json') as { readonly version: string }
  return manifest.version
}

const HELP = `mullion-registry: keeps the records of image servers

usage: mullion-registry [--config FILE]

  -c, --config FILE    read the configuration from a TOML file (or name it in MULLION_CONFIG)
      --check-config   read and check the configuration, then end
  -v, --version        print the version
  -h, --help           print this text

The file is that of mullion-image-server. It listens on [registry] host and port (127.0.0.1:9191; or
MULLION_REGISTRY_HOST, MULLION_REGISTRY_PORT) and keeps the records in the database, by default below
data_dir, which has to be one of its own. Who may ask is up to [pipeline] and [auth]. What is about the
data of images does not concern it. More: docs/registry.md in the repository.

SIGTERM or SIGINT ends it once running requests are answered (shutdown_grace); a second one ends it at once.
Exit codes: 0 ended as asked, 1 could not start or stop in order, 2 wrong command line.
`
