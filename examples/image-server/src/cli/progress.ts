import type { Writable } from 'node:stream'

/** How far a command is: one line that is rewritten on a terminal, a line now and then in a pipe. */
export interface Progress {
  /** Cheap: most calls write nothing. */
  show(text: () => string): void
  /** Makes room for other output. */
  clear(): void
}

const REDRAW_MS = 100
const LINE_MS = 10_000

export function createProgress(
  stream: Writable & { readonly isTTY?: boolean; readonly columns?: number },
  quiet: boolean,
  now: () => number = Date.now,
): Progress {
  if (quiet) return { show() {}, clear() {} }
  const intervalMs = stream.isTTY === true ? REDRAW_MS : LINE_MS
  let last = now()
  let drawn = false
  return {
    show(text) {
      if (now() - last < intervalMs) return
      last = now()
      drawn = stream.isTTY === true
      // a line that wraps could not be rewritten
      stream.write(drawn ? `\r\u001b[K${text().slice(0, (stream.columns ?? 80) - 1)}` : `${text()}\n`)
    },
    clear() {
      if (drawn) stream.write('\r\u001b[K')
      drawn = false
    },
  }
}
