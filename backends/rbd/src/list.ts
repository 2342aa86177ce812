import { type Listed, type ListedPartial, type ListOptions, MullionError, orAborted } from 'mullion'
import type { Opened } from './calls.ts'
import type { Session } from './connection.ts'
import { parseDraftName, removeDraft } from './draft.ts'
import { failedWith } from './errors.ts'
import { type RbdLocation, SNAPSHOT } from './location.ts'
import { sessionOf, type Tools } from './tools.ts'
import { KEY } from './write.ts'

/** Images that are asked at once whether they are ours. */
const AT_ONCE = 8

/**
 * Images that have the snapshot of a published one: volumes and disks of others in the pool have none of that name. Then
 * those that were not published. librbd tells the names of all images of the pool at once.
 */
export async function* list(tools: Tools, { signal, alive }: ListOptions): AsyncGenerator<Listed<RbdLocation>> {
  const session = await sessionOf(tools, signal)
  const { images } = await orAborted(session.call('list', tools.connection.place), signal)
  const names = images.map(({ name }) => name).filter((name) => KEY.test(name) || parseDraftName(name))
  for (let at = 0; at < names.length; at += AT_ONCE) {
    alive()
    const batch = names.slice(at, at + AT_ONCE).map((name) => entryOf(tools, session, name))
    for (const entry of await orAborted(Promise.all(batch), signal)) if (entry) yield entry
  }
}

async function entryOf(tools: Tools, session: Session, name: string): Promise<Listed<RbdLocation> | undefined> {
  const draft = parseDraftName(name)
  const found = await look(tools, session, name, draft ? undefined : SNAPSHOT)
  if (draft) return partial(tools, { name, key: draft.key }, found, draft.begun)
  if (!found) return undefined
  const { pool, namespace } = tools.connection.place
  const place = { fsid: session.fsid, pool, ...(namespace !== undefined && { namespace }), snapshot: SNAPSHOT }
  return { kind: 'object', at: { image: name, at: place }, ...factsOf(found) }
}

/** Undefined when the image or its snapshot does not exist; nothing stays open. */
async function look(
  { connection: { place } }: Tools,
  session: Session,
  image: string,
  snapshot: string | undefined,
): Promise<Opened | undefined> {
  try {
    const opened = await session.call('open', { ...place, image, snapshot, watch: false })
    await session.call('close', { handle: opened.handle })
    return opened
  } catch (error) {
    if (failedWith(error, 'ENOENT')) return undefined
    throw error
  }
}

function factsOf({ size, modifiedAt }: Opened): { readonly size: number; readonly modifiedAt: Date } {
  return { size, modifiedAt: new Date(modifiedAt) }
}

/** Who has it open the cluster knows, and one that got its key besides its own name is kept: see `removeDraft`. */
function partial(
  tools: Tools,
  left: { readonly name: string; readonly key: string },
  found: Opened | undefined,
  begun: number,
): ListedPartial {
  const { place } = tools.connection
  const { pool, namespace } = place
  const name = [pool, namespace, left.name].filter((part) => part !== undefined).join('/')
  return {
    kind: 'partial',
    name,
    ...(found ? factsOf(found) : { size: undefined, modifiedAt: new Date(begun) }),
    async remove({ signal }) {
      const session = await sessionOf(tools, signal)
      if ((await orAborted(removeDraft(session, place, left), signal)) === 'removed') return
      const message = `rbd store: ${name} has its key besides its own name; remove the object of that key instead`
      throw new MullionError('conflict', message, { details: { expected: name } })
    },
  }
}
