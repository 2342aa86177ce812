import { createRequire } from 'node:module'
import type { Writable } from 'node:stream'
import { Command, CommanderError } from 'commander'
import { type Bind, type CommonOptions, readConfig, type Say, type Work } from './command.ts'
import { addDatabase } from './db.ts'
import { addDoctor } from './doctor/command.ts'
import { EXIT, Misuse } from './exit-code.ts'
import { addExport } from './export.ts'
import { addImportGlance } from './glance/command.ts'
import { addImport } from './import.ts'
import { interrupt } from './interrupt.ts'
import { createOutput, type Output } from './output.ts'
import { addServers } from './servers.ts'
import { messageOf } from '../server/message.ts'

export interface Streams {
  readonly stdin: NodeJS.ReadableStream
  readonly stdout: Writable
  readonly stderr: Writable & { readonly isTTY?: boolean }
}

/** The program `mullion`: resolves with its exit code once everything is over. */
export async function main(args: readonly string[], env: NodeJS.ProcessEnv, streams: Streams): Promise<number> {
  const { stdout, stderr } = streams
  stdout.on('error', () => {}) // its reader left, as `head` does: nobody is there to be told
  let exitCode: number = EXIT.fine
  const program = new Command('mullion')
    .description('A server for disk images, and the care of its records and its data.')
    .version(version(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .addHelpText('after', EXIT_CODES)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'mullion: ')),
    })
  const bind: Bind = (work) => async (argument, options, command) => {
    const bare = command === undefined // a command without an argument is called with its options first
    exitCode = await execute(work, (bare ? argument : options) as never, bare ? '' : String(argument), env, streams)
  }
  addServers(program, env, (code) => {
    exitCode = code
  })
  for (const add of [addDatabase, addDoctor, addExport, addImport, addImportGlance]) add(program, bind)
  try {
    await program.parseAsync([...args], { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.fine : EXIT.misuse
    throw error
  }
}

async function execute<O extends CommonOptions>(
  work: Work<O>,
  options: O,
  argument: string,
  env: NodeJS.ProcessEnv,
  { stdin, stdout, stderr }: Streams,
): Promise<number> {
  using asked = interrupt()
  const { signal } = asked
  const output = createOutput({ json: options.json, quiet: options.quiet, stdout, stderr })
  const leave = new AbortController()
  stdout.once('close', () => leave.abort())
  try {
    const config = readConfig(options.config, env)
    const context = { config, env, stdin, output, signal: AbortSignal.any([signal, leave.signal]), say: sayTo(output) }
    return asked.exitCode() ?? (await work(context, options, argument))
  } catch (error) {
    if (signal.aborted) return asked.exitCode() ?? EXIT.failed
    if (leave.signal.aborted) return EXIT.failed
    output.note(error instanceof Misuse ? error.message : messageOf(error))
    return error instanceof Misuse ? EXIT.misuse : EXIT.failed
  } finally {
    output.progress.clear()
  }
}

function sayTo(output: Output): Say {
  return (message, fields = {}) => {
    const facts = Object.entries(fields).map(([name, value]) => `${name} ${String(value)}`)
    output.note(facts.length === 0 ? message : `${message} (${facts.join(', ')})`)
  }
}

/** By its own name, which leads to the manifest from the sources and from the build alike. */
function version(): string {
  const manifest = createRequire(import.meta.url)('@mullion/image-server/package.json') as { readonly version: string }
  return manifest.version
}

const EXIT_CODES = `
Exit codes: 0 fine, 1 failed, 2 wrong command line, 3 the command found something (doctor, db check, import-glance),
130 interrupted. Every command reads the configuration of the server: --config, MULLION_CONFIG and MULLION_… variables.`
