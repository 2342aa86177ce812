import type { Log } from 'mullion/images'

/** What was found that does not open, as far as it is remembered. */
export interface Unreadable {
  readonly ids: readonly string[]
  /** Tells the log, once for each id. `error` says why without any secret. */
  add(id: string, error: unknown): void
}

/** A key that is missing concerns every value it sealed: more are neither remembered nor told. */
const REMEMBERED = 1000

export function rememberUnreadable(what: string, log: Log = () => {}): Unreadable {
  const ids = new Set<string>()
  return {
    get ids() {
      return [...ids]
    },
    add(id, error) {
      if (ids.has(id) || ids.size >= REMEMBERED) return
      ids.add(id)
      log(`${what} cannot be read`, { id, error: error instanceof Error ? error.message : String(error) })
    },
  }
}
