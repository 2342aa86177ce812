import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { Ran } from './command-line.ts'

const PROGRAM = fileURLToPath(new URL('../../src/mullion.ts', import.meta.url))

export interface Running {
  readonly child: ChildProcess
  readonly ended: Promise<Ran>
}

/** The program in a process of its own. */
export function launch(args: readonly string[], env: Readonly<Record<string, string>>): Running {
  const child = spawn(process.execPath, ['--conditions=@mullion/source', PROGRAM, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const said = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  const ended = said.then(([stdout, stderr, [code]]) => ({ code: code as number, stdout, stderr }))
  return { child, ended }
}

export async function runProgram(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ran> {
  const { child, ended } = launch(args, env)
  child.stdin?.end()
  return ended
}
