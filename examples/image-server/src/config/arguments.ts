import { parseArgs } from 'node:util'

export type Command =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'check' | 'serve'; readonly file: string | undefined }
  /** Nothing runs: the message says what was wrong with the command line. */
  | { readonly kind: 'misuse'; readonly message: string }

/** What the command line asks for. The file of MULLION_CONFIG counts when no `--config` is given. */
export function parseCommand(args: readonly string[], env: Readonly<Record<string, string | undefined>>): Command {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false })
    if (values.help === true) return { kind: 'help' }
    if (values.version === true) return { kind: 'version' }
    const file = values.config ?? (env['MULLION_CONFIG'] || undefined)
    if (file === '') return { kind: 'misuse', message: '--config: expected the path of a file' }
    return { kind: values['check-config'] === true ? 'check' : 'serve', file }
  } catch (error) {
    const [message = ''] = (error as Error).message.split(/\. |\n/, 1)
    return { kind: 'misuse', message: message.charAt(0).toLowerCase() + message.slice(1) }
  }
}

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  'check-config': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const

export const HELP: string = `mullion-image-server: an OpenStack Images server

usage: mullion-image-server [--config FILE]

  -c, --config FILE    read the configuration from a TOML file (or name it in MULLION_CONFIG)
      --check-config   read and check the configuration, then end
  -v, --version        print the version
  -h, --help           print this text

Without a file it listens on 127.0.0.1:9292 and keeps everything in ./data. Each key of the file
can be set by a variable: port is MULLION_PORT, api_limit_max in [limits] is MULLION_LIMITS_API_LIMIT_MAX,
dir in [stores.fast] is MULLION_STORES_FAST_DIR. All keys: docs/configuration.md in the repository.

SIGTERM or SIGINT ends it once running transfers are over (shutdown_grace); a second one ends it at once.
Exit codes: 0 ended as asked, 1 could not start or stop in order, 2 wrong command line.
`
