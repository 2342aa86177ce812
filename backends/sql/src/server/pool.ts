import { ConnectionLost } from './errors.ts'
import type { Session } from './session.ts'

/** Less than servers wait for a word. */
export const IDLE_MS = 60_000

export interface Pool {
  /** A session of one's own. Rejects `ConnectionLost` when none is free in time, or what connecting rejects with. */
  acquire(): Promise<Session>
  /** Gives it back; one that is not `clean` is cut. */
  release(session: Session, clean: boolean): void
  /** Ends the sessions that are free, and the others once they are given back. */
  close(): Promise<void>
}

export interface PoolOptions {
  readonly connect: () => Promise<Session>
  readonly size: number
  /** How long a caller waits for a session of somebody else. */
  readonly waitMs: number
  /** How long a session may lie idle. */
  readonly idleMs: number
}

interface Waiter {
  readonly resolve: (session: Promise<Session>) => void
  readonly timer: NodeJS.Timeout
}

export function createPool(options: PoolOptions): Pool {
  return new SessionPool(options)
}

class SessionPool implements Pool {
  readonly #options: PoolOptions
  /** With the timers that end them. */
  readonly #idle = new Map<Session, NodeJS.Timeout>()
  readonly #waiters: Waiter[] = []
  readonly #ends = new Set<Promise<void>>()
  #open = 0
  #closed = false

  constructor(options: PoolOptions) {
    this.#options = options
  }

  async acquire(): Promise<Session> {
    if (this.#closed) throw new Error('the pool was closed')
    const session = this.#takeIdle()
    if (session) return session
    return this.#open < this.#options.size ? this.#connect() : this.#wait()
  }

  release(session: Session, clean: boolean): void {
    if (!clean || !session.isUsable()) {
      this.#open -= 1
      session.destroy()
    } else if (this.#closed) this.#end(session)
    else this.#keep(session)
    this.#serve()
  }

  async close(): Promise<void> {
    this.#closed = true
    for (let session = this.#takeIdle(); session; session = this.#takeIdle()) this.#end(session)
    await Promise.all(this.#ends)
  }

  async #connect(): Promise<Session> {
    this.#open += 1
    try {
      return await this.#options.connect()
    } catch (error) {
      this.#open -= 1
      this.#serve() // whoever waits tries for itself
      throw error
    }
  }

  /** The one used last: the others grow old and go. */
  #takeIdle(): Session | undefined {
    for (;;) {
      const [session, timer] = [...this.#idle].at(-1) ?? []
      if (!session) return undefined
      clearTimeout(timer)
      this.#idle.delete(session)
      if (session.isUsable()) return session
      this.#open -= 1
      session.destroy()
    }
  }

  #keep(session: Session): void {
    const expire = (): void => {
      this.#idle.delete(session)
      this.#end(session)
    }
    this.#idle.set(session, setTimeout(expire, this.#options.idleMs).unref())
  }

  #wait(): Promise<Session> {
    const { size, waitMs } = this.#options
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
        reject(new ConnectionLost(`all ${size} connections were in use for ${waitMs} ms`))
      }, waitMs)
      const waiter = { resolve, timer }
      this.#waiters.push(waiter)
    })
  }

  #serve(): void {
    while (this.#waiters.length > 0) {
      const session = this.#takeIdle()
      if (!session && this.#open >= this.#options.size) return
      const { resolve, timer } = this.#waiters.shift() as Waiter
      clearTimeout(timer)
      resolve(session ? Promise.resolve(session) : this.#connect())
    }
  }

  #end(session: Session): void {
    this.#open -= 1
    const ending = session.end().finally(() => this.#ends.delete(ending))
    this.#ends.add(ending)
  }
}
