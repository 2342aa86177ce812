import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { redactText } from 'mullion'
import { createProgress, type Progress } from './progress.ts'

/** Where a command writes: results to standard output, everything about them to standard error. */
export interface Output {
  readonly json: boolean
  readonly progress: Progress
  /** A result: `data` as one line of JSON, or `text` for people. Undefined text is for machines only. */
  say(data: object, text: string | undefined): Promise<void>
  /** What is no result, such as a line of an export. Resolves once the reader has taken it. */
  raw(text: string): Promise<void>
  /** One line each on standard error. */
  note(message: string): void
}

export interface OutputOptions {
  readonly json: boolean
  readonly quiet: boolean
  readonly stdout: Writable
  readonly stderr: Writable & { readonly isTTY?: boolean }
}

export function createOutput({ json, quiet, stdout, stderr }: OutputOptions): Output {
  const progress = createProgress(stderr, quiet)
  const write = async (text: string): Promise<void> => {
    progress.clear()
    if (!stdout.write(text) && !stdout.destroyed) await Promise.race([once(stdout, 'drain'), once(stdout, 'close')])
  }
  return {
    json,
    progress,
    async say(data, text) {
      if (json) await write(`${JSON.stringify(data)}\n`)
      else if (text !== undefined) await write(`${text}\n`)
    },
    raw: write,
    note(message) {
      progress.clear()
      for (const line of redactText(message).split('\n')) stderr.write(`mullion: ${line}\n`)
    },
  }
}
