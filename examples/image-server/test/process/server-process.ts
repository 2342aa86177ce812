import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface ServerProcess {
  readonly child: ChildProcess
  readonly url: string
  readonly ended: Promise<Ended>
  /** What it logged so far. */
  log(): string
  kill(signal: NodeJS.Signals): void
}

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const running = new Set<ChildProcess>()

/** Runs the program to its end. */
export function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  nodeArgs: readonly string[] = [],
): Promise<Ended> {
  return launch(args, env, nodeArgs).ended
}

/** Resolves once the server has said where it listens. */
export async function start(env: Readonly<Record<string, string>>): Promise<ServerProcess> {
  const { child, output, ended } = launch([], { MULLION_PORT: '0', ...env })
  const url = await Promise.race([
    firstUrl(child, output),
    ended.then(({ stderr }) => Promise.reject(new Error(`it ended: ${stderr}`))),
  ])
  return { child, url, ended, log: () => output.stderr, kill: (signal) => void child.kill(signal) }
}

/** For `afterEach`: what a failed test left running. */
export async function killAll(): Promise<void> {
  for (const child of running) child.kill('SIGKILL')
  await Promise.all([...running].map((child) => once(child, 'close')))
}

interface Launched {
  readonly child: ChildProcess
  readonly output: { stdout: string; stderr: string }
  readonly ended: Promise<Ended>
}

function launch(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  nodeArgs: readonly string[] = [],
): Launched {
  const child = spawn(process.execPath, [...nodeArgs, '--conditions=@mullion/source', MAIN, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  const ended = once(child, 'close').then(([code, signal]) => {
    running.delete(child)
    return { code: code as number | null, signal: signal as NodeJS.Signals | null, ...output }
  })
  return { child, output, ended }
}

async function firstUrl(child: ChildProcess, output: { readonly stdout: string }): Promise<string> {
  for (;;) {
    const url = /listens on (\S+)\n/.exec(output.stdout)?.[1]
    if (url !== undefined) return url
    await once(child.stdout ?? child, 'data')
  }
}
