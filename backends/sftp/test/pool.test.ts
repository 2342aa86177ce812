import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Connection } from '../src/connect.ts'
import { pool } from '../src/pool.ts'
import type { Session } from '../src/session.ts'
import { failureOf, never } from './support.ts'

describe('the connections of an sftp store', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** A borrower that leaves while the connection is being made. */
  async function abandoned() {
    const { promise, resolve, reject } = Promise.withResolvers<Connection>()
    const connections = pool({ connections: 1, idleConnectionMs: 60_000, connect: () => promise })
    const abort = new AbortController()
    const borrowing = failureOf(connections.borrow(abort.signal, async () => {}))
    abort.abort(new Error('enough'))
    expect(await borrowing).toMatchObject({ message: 'enough' })
    return { connections, resolve, reject }
  }

  const connection = () => {
    const session = { dropped: undefined } as Session
    return { session, close: vi.fn<() => Promise<void>>(async () => {}) }
  }

  it('leave no timer when one that nobody waits for any more cannot be made', async () => {
    const { connections, reject } = await abandoned()
    reject(new Error('no answer'))
    await vi.advanceTimersByTimeAsync(0)
    expect(vi.getTimerCount()).toBe(0)
    await connections.close()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('are closed when idle, also one that nobody waited for when it came', async () => {
    const { connections, resolve } = await abandoned()
    const made = connection()
    resolve(made)
    await vi.advanceTimersByTimeAsync(59_999)
    expect(made.close).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(made.close).toHaveBeenCalledOnce()
    await connections.close()
  })

  it('leave no timer when they are lent again and then closed', async () => {
    const { connections, resolve } = await abandoned()
    resolve(connection())
    await vi.advanceTimersByTimeAsync(10)
    const { release } = await connections.borrow(never, async () => {})
    expect(vi.getTimerCount()).toBe(0)
    release()
    expect(vi.getTimerCount()).toBe(1)
    await connections.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})
