import { orAborted } from 'mullion'
import { setMaxListeners } from 'node:events'
import type { Connection } from './connect.ts'
import { failure } from './errors.ts'
import type { Session } from './session.ts'

export interface Pool {
  /**
   * Borrows a session and answers what `first` found with it. `first` may run twice: a kept connection can turn out to
   * be dead. Rejects as connecting does, with the reason of `signal`, or `closed`.
   */
  borrow<T>(signal: AbortSignal, first: (session: Session) => Promise<T>): Promise<Borrowed<T>>
  /** Whatever is in flight fails with `closed`. Resolves once no socket is left. */
  close(): Promise<void>
}

export interface Borrowed<T> {
  readonly session: Session
  readonly first: T
  /** Gives the session back; more than once is fine. */
  readonly release: () => void
}

export interface PoolOptions {
  readonly connections: number
  readonly idleConnectionMs: number
  readonly connect: (signal: AbortSignal) => Promise<Connection>
}

/**
 * Few connections for any number of operations: each gets one of its own while there are enough, then they share, since
 * requests of several operations may be under way on one. So nobody waits for another to finish.
 */
export function pool(options: PoolOptions): Pool {
  const slots = slotsOf(options)

  async function borrow<T>(
    signal: AbortSignal,
    first: (session: Session) => Promise<T>,
    mayOpen = true,
  ): Promise<Borrowed<T>> {
    signal.throwIfAborted()
    slots.closing.throwIfAborted()
    const slot = slots.take(mayOpen)
    const wasKept = slot.session !== undefined
    let held = true
    const release = (): void => {
      if (held) slots.give(slot)
      held = false
    }
    try {
      const { session } = await orAborted(slot.ready, signal)
      return { session, first: await orAborted(first(session), signal), release }
    } catch (error) {
      release()
      if (signal.aborted || slots.closing.aborted) throw error
      if (wasKept && slot.session?.dropped) return borrow(signal, first, mayOpen)
      // some servers allow fewer connections than are configured
      if (slot.session === undefined && slots.hasOpen()) return borrow(signal, first, false)
      throw error
    }
  }

  return { borrow: (signal, first) => borrow(signal, first), close: slots.close }
}

/** A place for a connection, from the attempt to connect on. */
interface Slot {
  readonly ready: Promise<Connection>
  /** Once it is there. */
  session?: Session
  /** Operations that use it or wait for it. */
  users: number
  idle?: NodeJS.Timeout | undefined
}

interface Slots {
  readonly closing: AbortSignal
  /** One that nobody uses, or a new one, or that with the fewest users. */
  take(mayOpen: boolean): Slot
  give(slot: Slot): void
  hasOpen(): boolean
  close(): Promise<void>
}

function slotsOf({ connections, idleConnectionMs, connect }: PoolOptions): Slots {
  const slots = new Set<Slot>()
  const parting = new Set<Promise<void>>()
  const closing = new AbortController()
  setMaxListeners(0, closing.signal) // one for each connection that is being made

  function open(): Slot {
    const slot: Slot = { ready: connect(closing.signal), users: 0 }
    slots.add(slot)
    slot.ready.then(
      ({ session }) => {
        slot.session = session
        if (slot.users === 0 && slots.has(slot)) idle(slot)
      },
      () => slots.delete(slot),
    )
    return slot
  }

  function idle(slot: Slot): void {
    slot.idle = setTimeout(() => leave(slot), idleConnectionMs)
  }

  function leave(slot: Slot): void {
    clearTimeout(slot.idle)
    slots.delete(slot)
    const over = (): void => void parting.delete(parted)
    const parted: Promise<void> = slot.ready.then((connection) => connection.close()).then(over, over)
    parting.add(parted)
  }

  return {
    closing: closing.signal,
    take(mayOpen) {
      for (const slot of slots) if (slot.session?.dropped) leave(slot)
      const [best] = [...slots].toSorted((a, b) => a.users - b.users)
      const slot = best && (best.users === 0 || !mayOpen || slots.size >= connections) ? best : open()
      clearTimeout(slot.idle)
      slot.users += 1
      return slot
    },
    give(slot) {
      slot.users -= 1
      if (slot.users > 0 || !slots.has(slot)) return
      if (slot.session?.dropped) leave(slot)
      else if (slot.session) idle(slot) // otherwise once it is there, if it ever is
    },
    hasOpen: () => [...slots].some(({ session }) => session !== undefined && !session.dropped),
    async close() {
      closing.abort(failure('closed', 'the store was closed', {}))
      for (const slot of slots) leave(slot)
      await Promise.all(parting)
    },
  }
}
