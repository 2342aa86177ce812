import type { AnyStore, Listed } from 'mullion'
import { broken, type BrokenStore } from './broken-store.ts'

type Entries = AsyncIterable<Listed<unknown>>

/** The entries of the memory store, changed. */
function listing(change: (entries: Entries) => Entries): (next: AnyStore) => Partial<AnyStore> {
  return (next) => ({
    list(options) {
      if (!next.list) throw new Error('memory lists')
      return change(next.list(options))
    },
  })
}

async function* each(entries: Entries, change: (entry: Listed<unknown>) => readonly Listed<unknown>[]): Entries {
  for await (const entry of entries) yield* change(entry)
}

const ONCE = 'lists what was written once each, with its size and a location that reads back'

export const brokenListings: readonly BrokenStore[] = [
  broken(
    'lists everything twice',
    /listed more than once/,
    ONCE,
    listing((entries) => each(entries, (entry) => [entry, entry])),
  ),
  broken(
    'lists locations that are not those it answered',
    /not listed under its location/,
    ONCE,
    listing((entries) =>
      each(entries, (entry) => [entry.kind === 'object' ? { ...entry, at: `${String(entry.at)}-1` } : entry]),
    ),
  ),
  broken(
    'lists sizes of something else',
    /size of a listed object/,
    ONCE,
    listing((entries) => each(entries, (entry) => [{ ...entry, size: 1 }])),
  ),
  broken(
    'lists times in seconds',
    /was modified at/,
    ONCE,
    listing((entries) => each(entries, (entry) => [{ ...entry, modifiedAt: new Date(Date.now() / 1000) }])),
  ),
  broken(
    'forgets the first entry of its second page',
    /not listed under its location/,
    'lists every object, on however many pages',
    listing((entries) => {
      let index = 0
      return each(entries, (entry) => (++index === 31 ? [] : [entry]))
    }),
  ),
  broken('lists what was deleted', /listed that was deleted/, 'lists no object that was deleted', (next) => {
    const gone: Listed<unknown>[] = []
    return {
      ...listing(async function* (entries) {
        yield* entries
        yield* gone
      })(next),
      async remove(at, options) {
        await next.remove?.(at, options)
        gone.push({ kind: 'object', at, size: undefined, modifiedAt: undefined })
      },
    }
  }),
  broken(
    'lists what is being written as an object',
    /whose write was under way/,
    'lists no object while it is being written, nor when that failed',
    (next) => {
      const open = new Set<string>()
      return {
        ...listing(async function* (entries) {
          yield* entries
          for (const at of open) yield { kind: 'object', at, size: undefined, modifiedAt: undefined }
        })(next),
        async write(key, body, options) {
          if (!next.write) throw new Error('memory writes')
          open.add(key)
          return next.write(key, body, options).finally(() => open.delete(key))
        },
      }
    },
  ),
]
