import { type ByteStream, MullionError, type WriteOptions, type WriteResult } from 'mullion'
import { blocksOf } from './blocks.ts'
import { createDraft, discard, type Draft, idOf } from './draft.ts'
import { alreadyExists, failedWith } from './errors.ts'
import { type RbdLocation, SNAPSHOT } from './location.ts'
import { nonZeroRuns } from './sparse.ts'
import { sessionOf, type Tools } from './tools.ts'
import { Window } from './window.ts'

export const KEY: RegExp = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/
/** The most an image of unknown size grows at once. It costs no room, but an entry for each object. */
const MOST_GROWTH = 8 * 1024 ** 3

type Fill = (draft: Draft) => Promise<void>

/** Uploads into an image of another name; publishing it is one rename, which never replaces. */
export function write(
  tools: Tools,
  key: string,
  body: ByteStream,
  options: WriteOptions<RbdLocation>,
): Promise<WriteResult<RbdLocation>> {
  return publishing(tools, key, options, (draft) => fill(tools, draft, body, options))
}

/** Makes a complete image appear under `key`, or nothing. */
export async function publishing(
  tools: Tools,
  key: string,
  options: WriteOptions<RbdLocation>,
  filled: Fill,
): Promise<WriteResult<RbdLocation>> {
  options.signal.throwIfAborted()
  if (!KEY.test(key)) {
    const message = 'rbd store: key: expected 1 to 255 of A-Za-z0-9._-'
    throw new MullionError('invalid_argument', message, { details: { name: 'key' } })
  }
  const session = await sessionOf(tools, options.signal)
  const { place } = tools.connection
  if ((await idOf(session, place, key)) !== undefined) throw alreadyExists(key)
  const draft = await createDraft(tools, session, key, options.size ?? 0)
  try {
    await filled(draft)
    options.signal.throwIfAborted()
    await session.call('flush', { handle: draft.opened.handle })
    options.alive()
    await session.call('protect', { handle: draft.opened.handle, snapshot: SNAPSHOT })
    options.alive()
    return await tools.inTurn(key, () => publish(tools, draft, options))
  } catch (error) {
    await discard(tools, draft)
    throw error
  }
}

async function publish(
  { connection: { place } }: Tools,
  draft: Draft,
  { announce, alive, signal }: WriteOptions<RbdLocation>,
): Promise<WriteResult<RbdLocation>> {
  const { session, key, name, opened } = draft
  if ((await idOf(session, place, key)) !== undefined) throw alreadyExists(key)
  const { pool, namespace } = place
  const at: RbdLocation = {
    image: key,
    at: { fsid: session.fsid, pool, ...(namespace !== undefined && { namespace }), snapshot: SNAPSHOT },
  }
  await announce(at)
  signal.throwIfAborted()
  draft.renaming = true
  const renamed = session.call('rename', { ...place, image: name, to: key })
  await renamed.catch((error: unknown) => {
    if (!failedWith(error, 'EEXIST')) throw error
  })
  alive()
  // Who loses the race for a name is told that it was renamed (librbd, Operations.cc, rename: EEXIST is dropped).
  if ((await idOf(session, place, key)) !== opened.id) {
    draft.renaming = false
    throw alreadyExists(key)
  }
  // Nor is a rename told from its first step when the directory of the pool has the name (RenameRequest.cc).
  if ((await idOf(session, place, name)) !== undefined) throw halfRenamed(key)
  signal.throwIfAborted()
  await session.call('close', { handle: opened.handle }).catch(() => {}) // it has its name already
  return { at }
}

function halfRenamed(key: string): MullionError<'unavailable'> {
  const message = `rbd store: ${key}: rbd_directory of the pool has a stale entry name_${key}; remove it with rbd rm ${key}`
  return new MullionError('unavailable', message, { details: {} })
}

async function fill(
  tools: Tools,
  draft: Draft,
  body: ByteStream,
  { size, alive }: Pick<WriteOptions<RbdLocation>, 'size' | 'alive'>,
): Promise<void> {
  const { objectSize, uploadConcurrency, sparse } = tools.settings
  const { session, opened } = draft
  const { handle } = opened
  const window = new Window(uploadConcurrency)
  let room = opened.size
  let length = 0
  try {
    for await (const { offset, pieces, bytes } of blocksOf(body, objectSize)) {
      length = offset + bytes
      if (length > room) {
        room = Math.max(length, Math.min(room * 2, room + MOST_GROWTH), objectSize * 16)
        await session.call('resize', { handle, size: room })
      }
      const runs = sparse ? nonZeroRuns(offset, pieces) : [[offset, pieces] as const]
      await window.add(async () => {
        for (const [at, run] of runs) {
          await session.call('write', { handle, offset: at }, run)
          alive()
        }
      })
    }
    await window.end()
  } catch (error) {
    await window.settled()
    throw error
  }
  if (size === undefined && room !== length) await session.call('resize', { handle, size: length })
}
