import { MullionError } from './errors.ts'
import { asRef, type LocationLike, redactUri, schemeOf } from './location.ts'
import type { OpenedStore } from './opened.ts'

/** A location within the store that holds it. */
export interface Found {
  readonly opened: OpenedStore
  /** What the store's codec parsed. */
  readonly at: unknown
  /** The location, redacted. */
  readonly shown: string
}

/**
 * Which store holds a location: the recorded store if it still has the scheme, else the one of the scheme that owns it.
 * No match and more than one are `invalid_location`, never a guess; nothing is asked of any backend.
 */
export function locator(opened: ReadonlyMap<string, OpenedStore>): (location: LocationLike) => Found {
  const known = [...new Set([...opened.values()].flatMap(({ spec }) => spec.schemes))].sort()
  return (location) => {
    const { uri, store } = asRef(location)
    const scheme = schemeOf(uri)
    const shown = redactUri(uri)
    const candidates = [...opened.values()].filter(({ spec }) => spec.schemes.includes(scheme))
    if (candidates.length === 0) {
      throw new MullionError(
        'unknown_scheme',
        `location ${shown}: no store serves scheme "${scheme}"; known: ${known.join(', ')}`,
        {
          details: { scheme, known },
        },
      )
    }
    const recorded = candidates.filter(({ id }) => id === store)
    const asked = recorded.length > 0 ? recorded : candidates
    const readable = asked.flatMap((candidate) => parsed(candidate, uri, shown))
    const found = matches(readable)
    const [first, ...others] = found
    if (first && others.length === 0) return first
    const plugins = [...new Set(asked.map(({ spec }) => spec.plugin))].join(' or ')
    const reason = first
      ? `stores ${found.map(({ opened: { id } }) => id).join(', ')} claim it`
      : readable.length > 0
        ? 'it lies in no store'
        : `not a location of a ${plugins} store`
    throw new MullionError('invalid_location', `location ${shown}: ${reason}`, { details: { reason } })
  }
}

/** Those that own it; of several, those that looked. */
function matches(found: readonly Found[]): readonly Found[] {
  const owners = found.filter(({ opened: { store }, at }) => store.owns?.(at) ?? true)
  const certain = owners.filter(({ opened: { store } }) => store.owns !== undefined)
  return certain.length > 0 ? certain : owners
}

/** What the store's codec makes of it: nothing when it is no location of that kind. */
function parsed(opened: OpenedStore, uri: string, shown: string): readonly Found[] {
  try {
    return [{ opened, at: opened.spec.location.parse(uri), shown }]
  } catch {
    return [] // what the codec said may quote the secret it stumbled on, so nobody hears it
  }
}
