import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const root = join(import.meta.dirname, '../..')
const SOURCES = ['--conditions=@mullion/source']

/** A program of this repository in a process of its own, listening on loopback. */
export interface ServerProcess extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  /** Ends it as an operator would, and rejects when it does not end well. */
  stop(): Promise<void>
}

export interface ServerOptions {
  /** Directory for its data. */
  readonly dataDir: string
  readonly env?: Readonly<Record<string, string>>
  /** Flags for Node, such as `--cpu-prof`. */
  readonly flags?: readonly string[]
}

/** The image server from its sources, so that nothing has to be built, on a port that the system chooses. */
export function startImageServer({ flags = [], ...options }: ServerOptions): Promise<ServerProcess> {
  const main = join(root, 'examples/image-server/src/main.ts')
  return startBuiltServer(main, { ...options, flags: [...SOURCES, ...flags] })
}

/** The image server as `npm start` runs it; `main` is its built program, here or where it is installed. */
export function startBuiltServer(
  main: string,
  { dataDir, env = {}, flags = [] }: ServerOptions,
): Promise<ServerProcess> {
  const settings = { MULLION_PORT: '0', MULLION_DATA_DIR: dataDir, MULLION_LOG_LEVEL: 'warn', ...env }
  return start([...flags, main], settings)
}

/** The least a server can do with the same requests: see floor.ts. */
export function startFloor({ dataDir, flags = [] }: ServerOptions): Promise<ServerProcess> {
  return start([...SOURCES, ...flags, join(root, 'test/bench/floor.ts'), dataDir], {})
}

/** Highest resident memory in bytes since the last `resetPeak`. Linux only. */
export async function peakMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]
  if (kilobytes === undefined) throw new Error(`no VmHWM in /proc/${pid}/status`)
  return Number(kilobytes) * 1024
}

/** proc(5): 5 written to clear_refs resets the peak to what is resident now. */
export function resetPeak(pid: number): Promise<void> {
  return writeFile(`/proc/${pid}/clear_refs`, '5')
}

async function start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<ServerProcess> {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...withoutSettings(process.env), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  try {
    const url = await announcedUrl(child)
    const stop = (): Promise<void> => stopped(child, ended)
    return { url, pid: child.pid ?? 0, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

/** The environment without what would configure the image server. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('MULLION_')))
}

async function announcedUrl(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('the server has no output')
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /http:\/\/[\w.[\]:]+:\d+/.exec(line)?.[0]
    if (url === undefined) continue
    child.stdout.resume()
    return url
  }
  throw new Error('the server ended before it listened')
}

async function stopped(child: ChildProcess, ended: Promise<readonly unknown[]>): Promise<void> {
  child.kill('SIGTERM')
  const [code, signal] = await ended
  if (code !== 0) throw new Error(`the server ended with ${String(code ?? signal)}`)
}
