import { randomInt } from 'node:crypto'
import type { StoreEnv } from 'mullion'
import { ifExists } from './errors.ts'
import { lstat, setMtime, unlink } from './files.ts'
import type { Pool } from './pool.ts'
import { isOurLock, type Upload } from './publish.ts'
import type { Session } from './session.ts'

/** Takes back what uploads left. What cannot be reached now is removed over the next connection. */
export interface Cleanup {
  /** Never rejects. */
  discard(session: Session, upload: Upload): Promise<void>
  /** For each new connection. Never rejects. */
  catchUp(session: Session): Promise<void>
  /** Tells the operator what was not removed. */
  report(): void
}

/** How long a failed upload waits for another connection to clean up with. */
const PATIENCE_MS = 8000

export function cleanup(pool: () => Pool, log: StoreEnv['log']): Cleanup {
  const left = new Set<Upload>()
  /** Uploads that have not been told to have failed yet, so that nobody can have written their keys again. */
  const current = new Set<Upload>()
  const remove = async (session: Session, upload: Upload): Promise<void> => {
    await removed(session, upload, log, current.has(upload))
    left.delete(upload)
  }
  /** A new connection catches up by itself; one that is there does it here. */
  const overAnother = async (upload: Upload): Promise<void> => {
    left.add(upload)
    const first = async (session: Session): Promise<void> => (left.has(upload) ? remove(session, upload) : undefined)
    await pool()
      .borrow(AbortSignal.timeout(PATIENCE_MS), first)
      .then(
        ({ release }) => release(),
        () => {}, // the next connection tries again
      )
  }
  /** False when the session is gone. */
  const over = async (session: Session, upload: Upload): Promise<boolean> => {
    try {
      if (!session.dropped) await remove(session, upload)
    } catch (error) {
      if (session.dropped) return false
      left.delete(upload)
      log('could not remove a partial file', { path: upload.partial, error })
    }
    return !session.dropped
  }
  return {
    async discard(session, upload) {
      current.add(upload)
      if (!(await over(session, upload))) await overAnother(upload)
      current.delete(upload)
    },
    async catchUp(session) {
      for (const upload of left) if (!(await over(session, upload))) return
    },
    report() {
      for (const { partial } of left) log('a partial file was left behind', { path: partial })
    },
  }
}

/**
 * When the connection ended before the answer, only the file itself tells whether it got its final name: a time that no
 * other file has, set under the one name, shows under the other. Once the partial name is gone, a request that is still
 * on its way cannot give the final one any more.
 */
async function removed(session: Session, upload: Upload, log: StoreEnv['log'], isCurrent: boolean): Promise<void> {
  const { named, partial, path, lock, locked } = upload
  const isLocked = locked === 'yes' || (locked === 'asked' && (await isOurLock(session, upload)))
  const mark = randomInt(1, 2 ** 31)
  const marked = named !== undefined && (await isThere(setMtime(session, partial, mark)))
  await isThere(unlink(session, partial))
  if (isLocked) await isThere(unlink(session, lock))
  if (named === undefined) return
  const found = await ifExists(lstat(session, path))
  const isMarked = marked && found?.mtimeMs === mark * 1000
  const isRenamed = !marked && named === 'rename' && found !== undefined
  if (isMarked || (isRenamed && isCurrent)) await isThere(unlink(session, path))
  // by now it may have been removed and written anew
  else if (isRenamed) log('a failed upload may have left its object', { path })
}

async function isThere(request: Promise<void>): Promise<boolean> {
  return (await ifExists(request.then(() => true))) ?? false
}
