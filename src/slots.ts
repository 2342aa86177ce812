/** A bounded number of places, handed out first come, first served. */
export interface Slots {
  /** Resolves with the function that gives the place back; rejects with `signal.reason` when aborted while waiting. */
  take(signal: AbortSignal): Promise<() => void>
}

export function slots(limit: number): Slots {
  let free = limit
  const waiting: (() => void)[] = []
  const give = (): (() => void) => {
    let given = false
    return () => {
      if (given) return
      given = true
      const next = waiting.shift()
      if (next) next()
      else free += 1
    }
  }
  return {
    async take(signal) {
      signal.throwIfAborted()
      if (free > 0) {
        free -= 1
        return give()
      }
      await new Promise<void>((resolve, reject) => {
        const leave = (): void => {
          waiting.splice(waiting.indexOf(turn), 1)
          reject(signal.reason as Error)
        }
        const turn = (): void => {
          signal.removeEventListener('abort', leave)
          resolve()
        }
        signal.addEventListener('abort', leave, { once: true })
        waiting.push(turn)
      })
      return give()
    },
  }
}
