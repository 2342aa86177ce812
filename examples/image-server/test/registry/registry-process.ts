import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface RegistryProcess {
  readonly url: string
  readonly port: number
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
  log(): string
  kill(signal: NodeJS.Signals): void
}

const MAIN = fileURLToPath(new URL('../../src/registry.ts', import.meta.url))
const running = new Set<ChildProcess>()

type Variables = Readonly<Record<string, string>>

/** Resolves once the registry has said where it listens. */
export async function startRegistryProcess(env: Variables): Promise<RegistryProcess> {
  const { child, output, ended } = launch([], { MULLION_REGISTRY_PORT: '0', ...env })
  const url = await Promise.race([
    firstUrl(child, output),
    ended.then(({ stderr }) => Promise.reject(new Error(`it ended: ${stderr}`))),
  ])
  const { port } = new URL(url)
  return { url, port: Number(port), ended, log: () => output.stderr, kill: (signal) => void child.kill(signal) }
}

/** Runs the program to its end. */
export function runRegistry(args: readonly string[], env: Variables = {}): RegistryProcess['ended'] {
  return launch(args, env).ended
}

/** For `afterEach`: what a failed test left running. */
export async function killRegistries(): Promise<void> {
  for (const child of running) child.kill('SIGKILL')
  await Promise.all([...running].map((child) => once(child, 'close')))
}

interface Launched extends Pick<RegistryProcess, 'ended'> {
  readonly child: ChildProcess
  readonly output: { stdout: string; stderr: string }
}

function launch(args: readonly string[], env: Variables): Launched {
  const child = spawn(process.execPath, ['--conditions=@mullion/source', MAIN, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child)
    return { code: code as number | null, ...output }
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
