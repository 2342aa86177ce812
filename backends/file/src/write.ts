import { join } from 'node:path'
import { type ByteStream, MullionError, type WriteOptions, type WriteResult } from 'mullion'
import { alreadyExists, errnoOf, ifExists } from './errors.ts'
import { batched } from './output.ts'
import { partialName } from './partial.ts'
import { publish } from './publish.ts'
import { place } from './space.ts'
import { withHoles } from './sparse.ts'
import type { WriteTools } from './tools.ts'

export const KEY: RegExp = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/

/** Everything happens in a partial file beside the final name; `publish` makes it appear at once, complete and durable. */
export async function write(
  tools: WriteTools,
  key: string,
  body: ByteStream,
  options: WriteOptions<string>,
): Promise<WriteResult<string>> {
  return make(tools, key, options, (partial, onWritten) => fillFrom(tools, partial, body, onWritten))
}

/** Has `fill` make the partial file, durably, then publishes it. */
export async function make(
  tools: WriteTools,
  key: string,
  options: WriteOptions<string>,
  fill: (partial: string, onWritten: (bytes: number) => void) => Promise<void>,
): Promise<WriteResult<string>> {
  const { disk, settings } = tools
  options.signal.throwIfAborted()
  if (!KEY.test(key))
    throw new MullionError('invalid_argument', 'file store: key: expected 1 to 255 of A-Za-z0-9._-', {
      details: { name: 'key' },
    })
  await refuseExisting(tools, key)
  const { directory, reservation } = await place(disk, settings.directories, options.size)
  const partial = join(directory, partialName(key, tools.self))
  try {
    await fill(partial, (bytes) => reservation.landed(bytes))
    options.signal.throwIfAborted()
    const at = join(directory, key)
    await tools.inTurn(key, async () => {
      await refuseExisting(tools, key) // so that who lost the race does not announce the place of the winner
      await options.announce(at)
      options.signal.throwIfAborted()
      await publish(tools, partial, at, { key, signal: options.signal })
    })
    return { at }
  } catch (error) {
    await discard(tools, partial)
    throw error
  } finally {
    reservation.release()
  }
}

async function refuseExisting({ disk, settings }: WriteTools, key: string): Promise<void> {
  const found = await Promise.all(settings.directories.map(({ path }) => ifExists(disk.lstat(join(path, key)))))
  if (found.some((entry) => entry !== undefined)) throw alreadyExists(key)
}

/** Resolves once the bytes are durable under the partial name. */
async function fillFrom(
  { disk, settings: { permissions, sparse } }: WriteTools,
  partial: string,
  body: ByteStream,
  onWritten: (bytes: number) => void,
): Promise<void> {
  const handle = await disk.open(partial, 'wx', permissions)
  const batches = batched(handle, onWritten)
  const output = sparse ? withHoles(batches) : batches
  try {
    if (permissions !== undefined) await handle.chmod(permissions) // open() let the umask take bits away
    for await (const chunk of body) await output.write(chunk)
    const length = await output.end()
    if (sparse) await handle.truncate(length) // the file may end with a hole
    await handle.sync()
  } catch (error) {
    await output.settled()
    await handle.close().catch(() => {})
    throw error
  }
  await handle.close()
}

async function discard({ disk, log }: WriteTools, partial: string): Promise<void> {
  try {
    await disk.unlink(partial)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') log('could not remove a partial file', { path: partial, error })
  }
}
