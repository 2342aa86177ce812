import type { Listed, ListedPartial, ListOptions } from 'mullion'
import { failure, ifExists, isStatus, STATUS } from './errors.ts'
import { type Entry, type FileFacts, list as entriesOf, lstat, unlink } from './files.ts'
import { KEY, type SftpLocation } from './location.ts'
import { isOurs } from './partial.ts'
import { heard } from './session.ts'
import { missing, type WriteTools } from './write.ts'

/** Regular files right in the root that have the name of a key, or that of a partial file or lock. */
export async function* list(tools: WriteTools, { signal, alive }: ListOptions): AsyncGenerator<Listed<SftpLocation>> {
  const { pool, area, settings } = tools
  const { session, release } = await pool.borrow(signal, async (each) => each)
  try {
    for await (const entry of entriesOf(heard(session, alive), settings.root)) {
      signal.throwIfAborted()
      if (!entry.isFile) continue
      if (KEY.test(entry.name)) yield { kind: 'object', at: area.at(entry.name), ...factsOf(entry) }
      else if (isOurs(entry.name)) yield partial(tools, entry)
    }
  } catch (error) {
    throw isStatus(error, STATUS.noSuchFile) ? missing(settings.root) : error
  } finally {
    release()
  }
}

/** Servers may leave the time out. */
function factsOf({ size, mtimeMs }: FileFacts): { readonly size: number; readonly modifiedAt: Date | undefined } {
  return { size, modifiedAt: mtimeMs === 0 ? undefined : new Date(mtimeMs) }
}

/** While its object is being published a partial file is another name of it: losing that name does the object no harm. */
function partial({ pool, area }: WriteTools, listed: Entry): ListedPartial {
  const path = area.join(listed.name)
  return {
    kind: 'partial',
    name: path,
    ...factsOf(listed),
    async remove({ signal }) {
      const { session, first, release } = await pool.borrow(signal, (each) => ifExists(lstat(each, path)))
      try {
        if (!first) return
        if (!first.isFile || first.size !== listed.size || first.mtimeMs !== listed.mtimeMs) throw changed(path)
        await ifExists(unlink(session, path))
      } finally {
        release()
      }
    },
  }
}

function changed(path: string): ReturnType<typeof failure<'conflict'>> {
  return failure('conflict', `${path} changed since it was listed`, { expected: path })
}
