import { MullionError } from '../errors.ts'
import type { Layer } from '../plugin.ts'
import type { Listed, ListedPartial } from '../store.ts'

/**
 * Takes away what changes the store: `add`, `copy` into it, `delete`, `setAcls` and removing what a listing found reject
 * `unsupported`.
 */
export function readOnly(): Layer {
  return (next, { id }) => {
    const list = next.list?.bind(next)
    const refuse: ListedPartial['remove'] = async () => {
      throw new MullionError('unsupported', `${id}: is read-only`, { details: { operation: 'remove' } })
    }
    return {
      write: undefined,
      copyFrom: undefined,
      remove: undefined,
      setAcls: undefined,
      ...(list && { list: (options) => kept(list(options), refuse) }),
    }
  }
}

async function* kept(
  entries: AsyncIterable<Listed<unknown>>,
  remove: ListedPartial['remove'],
): AsyncGenerator<Listed<unknown>> {
  for await (const entry of entries) yield entry.kind === 'partial' ? { ...entry, remove } : entry
}
