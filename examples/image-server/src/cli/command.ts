import { type Command, InvalidArgumentError } from 'commander'
import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import type { Output } from './output.ts'

/** What every command takes. */
export interface CommonOptions {
  readonly config?: string
  readonly json: boolean
  readonly quiet: boolean
}

/** What a command works with. */
export interface Context {
  readonly config: Config
  readonly env: NodeJS.ProcessEnv
  readonly stdin: NodeJS.ReadableStream
  readonly output: Output
  /** Aborts when the operator has had enough. */
  readonly signal: AbortSignal
  /** What the stores and the use cases tell their operator. */
  readonly say: Say
}

export type Say = (message: string, fields?: Readonly<Record<string, unknown>>) => void

/** Does the work of a command and resolves with its exit code. */
export type Work<O extends CommonOptions> = (context: Context, options: O, argument: string) => Promise<number>

/** Makes of the work of a command what commander calls. */
export type Bind = <O extends CommonOptions>(
  work: Work<O>,
) => (argument: unknown, options: unknown, command?: unknown) => Promise<void>

export function withCommonOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'TOML file of the server (or MULLION_CONFIG)')
    .option('--json', 'JSON for machines, one object a line', false)
    .option('-q, --quiet', 'no progress', false)
}

/** Throws `invalid_config`. */
export function readConfig(file: string | undefined, env: NodeJS.ProcessEnv): Config {
  return loadConfig(file ?? (env['MULLION_CONFIG'] || undefined), env).config
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** For commander: `90s`, `15m`, `2h`, `1d`, or seconds; answers milliseconds. */
export function duration(text: string): number {
  const [, digits, unit = 's'] = /^(\d+)([smhd])?$/.exec(text) ?? []
  const unitMs = UNITS_MS[unit]
  if (digits !== undefined && unitMs !== undefined) return Number(digits) * unitMs
  throw new InvalidArgumentError('expected a duration such as 90s, 15m, 2h or 1d')
}

/** For commander: 1 to 256. */
export function count(text: string): number {
  const value = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= 256) return value
  throw new InvalidArgumentError('expected a number from 1 to 256')
}

/** For commander: an option that may be given several times. */
export function several(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}
