import type { StoreEnv } from 'mullion'
import type { Area } from './area.ts'
import { isStatus, STATUS } from './errors.ts'
import { type Entry, list, unlink } from './files.ts'
import { isOurs } from './partial.ts'
import type { Pool } from './pool.ts'
import type { Session } from './session.ts'

export interface SweepOptions {
  readonly root: string
  readonly staleUploadMs: number
  readonly signal: AbortSignal
}

/** Removes what crashed uploads left: partial files that nobody wrote to for so long. Reports, but never rejects. */
export async function sweep(
  pool: Pool,
  { join }: Area,
  { now, log }: StoreEnv,
  { root, staleUploadMs, signal }: SweepOptions,
): Promise<void> {
  const isStale = ({ name, isFile, mtimeMs }: Entry): boolean =>
    isFile && isOurs(name) && now() - mtimeMs > staleUploadMs
  try {
    const { session, release } = await pool.borrow(signal, async (each) => each)
    try {
      for await (const entry of list(session, root)) {
        if (signal.aborted) return
        if (isStale(entry)) await remove(session, join(entry.name), entry.size, log)
      }
    } finally {
      release()
    }
  } catch (error) {
    if (!signal.aborted) log('could not look for what interrupted uploads left', { directory: root, error })
  }
}

async function remove(session: Session, path: string, bytes: number, log: StoreEnv['log']): Promise<void> {
  try {
    await unlink(session, path)
    log('removed a file that an interrupted upload left', { path, bytes })
  } catch (error) {
    if (session.dropped) throw error
    // another store that opens was faster
    if (!isStatus(error, STATUS.noSuchFile)) log('could not remove what an interrupted upload left', { path, error })
  }
}
