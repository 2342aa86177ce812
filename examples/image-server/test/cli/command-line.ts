import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { openRegistry, type SqlRegistry } from '@mullion/sql'
import { main } from '../../src/cli/program.ts'

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

type Env = Readonly<Record<string, string>>

/** Runs the program in this process. */
export async function mullion(args: readonly string[], env: Env = {}, stdin = ''): Promise<Ran> {
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  const said = Promise.all([text(stdout), text(stderr)])
  const code = await main(args, { ...env }, { stdin: Readable.from([Buffer.from(stdin)]), stdout, stderr })
  stdout.end()
  stderr.end()
  const [out, err] = await said
  return { code, stdout: out, stderr: err }
}

/** The objects of an answer in JSON lines. */
export function jsonLines(output: string): Record<string, unknown>[] {
  return output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mullion-cli-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return directory
}

export interface Installation {
  readonly dir: string
  readonly env: Env
  readonly run: (...args: readonly string[]) => Promise<Ran>
  /** Its records, closed when the test is over. */
  readonly open: () => Promise<SqlRegistry>
}

/** A data directory with tables in it. */
export async function installation(settings: Env = {}): Promise<Installation> {
  const dir = await temporaryDirectory()
  const env = { MULLION_DATA_DIR: dir, ...settings }
  const { code, stderr } = await mullion(['db', 'upgrade'], env)
  if (code !== 0) throw new Error(stderr)
  return {
    dir,
    env,
    run: (...args) => mullion(args, env),
    async open() {
      const registry = await openRegistry({ file: join(dir, 'registry.sqlite') })
      onTestFinished(() => registry.close())
      return registry
    },
  }
}
