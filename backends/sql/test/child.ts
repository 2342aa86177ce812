import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Child {
  /** Lines of standard output as they come. */
  readonly lines: AsyncIterable<string>
  /** SIGKILL: no handler runs. */
  kill(): void
  /** Exit code, null after a kill; rejects with standard error for any other failure. */
  readonly exit: Promise<number | null>
}

/** Runs a program on the sources, in a process of its own. */
export function startProgram(program: URL, ...args: readonly string[]): Child {
  const path = fileURLToPath(program)
  const child = spawn(process.execPath, ['--conditions=@mullion/source', path, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const exit = once(child, 'close').then(([code]: unknown[]) => {
    if (code !== 0 && code !== null) throw new Error(`${path} failed:\n${errors}`)
    return code
  })
  return { lines: createInterface({ input: child.stdout }), kill: () => child.kill('SIGKILL'), exit }
}
