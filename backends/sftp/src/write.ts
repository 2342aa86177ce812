import {
  type ByteStream,
  type StoreEnv,
  type WriteOptions,
  type WriteResult,
  orAborted,
  type KeyedTurns,
} from 'mullion'
import type { Area } from './area.ts'
import type { Cleanup } from './cleanup.ts'
import type { Settings } from './config.ts'
import { failure, isStatus, STATUS } from './errors.ts'
import { chmod, close, create, fstat, type Handle, unlink } from './files.ts'
import { KEY, type SftpLocation } from './location.ts'
import { durable, pipelined } from './output.ts'
import { lockName, partialName } from './partial.ts'
import type { Pool } from './pool.ts'
import { assertFree, publish, type Upload } from './publish.ts'
import { heard, type Session } from './session.ts'
import { assertRoom, explained } from './space.ts'

/** What every upload of one opened store shares. */
export interface WriteTools {
  readonly settings: Settings
  readonly area: Area
  readonly pool: Pool
  readonly cleanup: Cleanup
  readonly now: StoreEnv['now']
  readonly inTurn: KeyedTurns
}

/** A new file that waits for its bytes. */
export interface Target {
  readonly session: Session
  readonly handle: Handle
  readonly path: string
}

/** Puts the bytes into the file and answers how many. Rejects with the reason of the signal as soon as that aborts. */
export type Fill = (target: Target) => Promise<number>

export async function write(
  tools: WriteTools,
  key: string,
  body: ByteStream,
  options: WriteOptions<SftpLocation>,
): Promise<WriteResult<SftpLocation>> {
  const { at } = await upload(tools, key, options, async ({ session, handle, path }) => {
    const output = pipelined(session, handle, path, options.signal)
    for await (const chunk of body) await output.write(chunk)
    return output.end()
  })
  return { at }
}

/** Everything happens in a partial file beside the final name; `publish` makes it appear at once, complete and durable. */
export async function upload(
  tools: WriteTools,
  key: string,
  options: WriteOptions<SftpLocation>,
  fill: Fill,
): Promise<{ readonly at: SftpLocation; readonly size: number }> {
  const { pool, area, inTurn, settings, cleanup } = tools
  const { signal, announce } = options
  if (!KEY.test(key)) throw failure('invalid_argument', 'key: expected 1 to 255 of A-Za-z0-9._-', { name: 'key' })
  const names = namesOf(tools, key)
  const { session: borrowed, release } = await pool.borrow(signal, (each) => assertFree(each, names))
  const session = heard(borrowed, () => options.alive())
  try {
    await orAborted(assertRoom(session, settings.root, options.size), signal)
    const size = await filled(session, names, settings, signal, fill)
    const at = area.at(key)
    await inTurn(key, async () => {
      await orAborted(assertFree(session, names), signal) // so that who lost the race does not announce the place of the winner
      await announce(at)
      signal.throwIfAborted()
      await publish(session, names)
    })
    signal.throwIfAborted()
    const { named, ...unnamed } = names
    if (named === 'link') await cleanup.discard(session, unnamed) // a rename has moved it
    return { at, size }
  } catch (error) {
    const reason = await explained(session, settings.root, error)
    await cleanup.discard(session, names)
    throw reason
  } finally {
    release()
  }
}

function namesOf({ area: { join }, settings: { root } }: WriteTools, key: string): Upload {
  return { key, root, partial: join(partialName(key)), lock: join(lockName(key)), path: join(key) }
}

/** Resolves with the length once the bytes are durable under the partial name. */
async function filled(
  session: Session,
  { partial, root }: Upload,
  { permissions }: Settings,
  signal: AbortSignal,
  fill: Fill,
): Promise<number> {
  const handle = await orAborted(create(session, partial, permissions), signal, (late) => {
    // what cleans up after the upload may have been answered first
    close(session, late, partial).catch(() => {})
    unlink(session, partial).catch(() => {})
  }).catch((error: unknown) => {
    throw isStatus(error, STATUS.noSuchFile) ? missing(root) : error
  })
  try {
    // the server let its umask take bits away
    if (permissions !== undefined) await orAborted(chmod(session, handle, partial, permissions), signal)
    const size = await fill({ session, handle, path: partial })
    await orAborted(durable(session, handle, partial), signal)
    const found = await orAborted(fstat(session, handle, partial), signal)
    if (found.size !== size) {
      throw failure('unavailable', `${partial} has ${found.size} bytes on the server, ${size} were written`, {})
    }
    await orAborted(close(session, handle, partial), signal)
    return size
  } catch (error) {
    close(session, handle, partial).catch(() => {})
    throw error
  }
}

export function missing(root: string): Error {
  return failure('unavailable', `directory ${root} does not exist on the server; create it`, {}, false)
}
