import type { QueryResult } from 'kysely'
import { ConnectionLost } from './errors.ts'

/** One connection to a server. */
export interface Session {
  /** Rejects `ConnectionLost`, or what the driver rejects with. */
  query(text: string, parameters: readonly unknown[]): Promise<QueryResult<unknown>>
  /** False once the connection is lost. */
  isUsable(): boolean
  /** Says goodbye. Never rejects. */
  end(): Promise<void>
  /** Cuts the connection. */
  destroy(): void
}

/** The call, unless it takes longer than `limitMs`: then `cut` ends what it waits on. 0 is no limit. */
export async function withinTime<T>(call: Promise<T>, limitMs: number, what: string, cut: () => void): Promise<T> {
  if (limitMs === 0) return call
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      cut()
      reject(new ConnectionLost(`${what}: no answer within ${limitMs} ms`))
    }, limitMs)
  })
  try {
    return await Promise.race([call, late])
  } finally {
    clearTimeout(timer)
    call.catch(() => undefined) // settled by the cut, after everybody left
  }
}
