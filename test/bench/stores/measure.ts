import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  /** Beside the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
  /** What it reads from its standard input. */
  readonly input?: string
}

export interface Run {
  readonly seconds: number
  /** User and system time, of its children too. */
  readonly cpuSeconds: number
  /** Highest resident memory in bytes, that of its children added. */
  readonly peak: number
}

const LIMIT_MS = 900_000
const SAMPLE_MS = 50

/** Runs a program to its end. Rejects with its last words when it fails, or takes a quarter of an hour. */
export async function measure(command: Command): Promise<Run & { readonly output: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'mullion-measure-'))
  try {
    const report = join(directory, 'report')
    const begin = performance.now()
    const { pid, output, ended } = start(command, report)
    const peaks = watch(pid, ended)
    const out = await output
    const seconds = (performance.now() - begin) / 1000
    const [user = 0, system = 0, kilobytes = 0] = (await readFile(report, 'utf8')).trim().split(' ').map(Number)
    return { seconds, cpuSeconds: user + system, peak: Math.max(kilobytes * 1024, await peaks), output: out }
  } finally {
    await rm(directory, { recursive: true })
  }
}

interface Started {
  readonly pid: number
  /** What it printed. Rejects when it failed. */
  readonly output: Promise<string>
  readonly ended: AbortSignal
}

/** Below time(1): Node tells the resources of all its children together only, and not how much memory they took. */
function start({ program, args, env = {}, input = '' }: Command, report: string): Started {
  const child = spawn('time', ['-q', '-f', '%U %S %M', '-o', report, '--', program, ...args], {
    env: { ...ownEnvironment(), ...env },
    stdio: 'pipe',
  })
  const over = new AbortController()
  const exit = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  child.stdin.on('error', () => {}) // it may end without reading
  child.stdin.end(input)
  const output = Promise.all([exit, text(child.stdout), text(child.stderr)]).then(([[code], out, err]) => {
    if (code === 0) return out.trim()
    throw new Error(`${program} ended with ${code}: ${lastWords(`${out}\n${err}`)}`)
  })
  const end = (): void => over.abort()
  exit.then(end, end)
  return { pid: child.pid ?? 0, output, ended: over.signal }
}

/** Resolves with the peaks of all processes below `pid`, added; ends them when they take too long. */
async function watch(pid: number, ended: AbortSignal): Promise<number> {
  const peaks = new Map<number, number>()
  const limit = performance.now() + LIMIT_MS
  while (!ended.aborted) {
    for (const child of await descendants(pid)) {
      peaks.set(child, Math.max(peaks.get(child) ?? 0, await peakOf(child)))
      if (performance.now() > limit) process.kill(child)
    }
    await wait(SAMPLE_MS, undefined, { signal: ended }).catch(() => {})
  }
  return [...peaks.values()].reduce((sum, peak) => sum + peak, 0)
}

async function descendants(pid: number): Promise<readonly number[]> {
  const listed = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  const children = listed.trim().split(' ').filter(Boolean).map(Number)
  return [...children, ...(await Promise.all(children.map(descendants))).flat()]
}

async function peakOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024
}

/** Without what would configure a tool behind our back: the services are on loopback and need no proxy either. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(?:AWS|RCLONE|ST|OS|CEPH|MULLION)_|_proxy$/i
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
}

/** The line that names the reason, if one does. */
function lastWords(printed: string): string {
  const lines = printed.trim().split('\n')
  const reason = lines.find((line) => /^\W*\w*error\b/i.test(line)) ?? lines.find((line) => /error|fail/i.test(line))
  return (reason ?? lines.at(-1) ?? '').trim().slice(0, 300)
}
