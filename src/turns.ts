export type KeyedTurns = <T>(key: string, run: () => Promise<T>) => Promise<T>

/** Runs one function per key at a time, in the order of the calls. For stores whose writes of one key must not meet. */
export function keyedTurns(): KeyedTurns {
  const last = new Map<string, Promise<unknown>>()
  return async (key, run) => {
    const before = last.get(key) ?? Promise.resolve()
    const turn = before.then(run, run)
    last.set(key, turn)
    try {
      return await turn
    } finally {
      if (last.get(key) === turn) last.delete(key)
    }
  }
}
