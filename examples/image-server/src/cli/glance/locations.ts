import { isMullionError, redactUri } from 'mullion'
import type { ImageLocation } from 'mullion/images'
import type { OpenedStores } from '../open.ts'
import type { Row } from './database.ts'
import { type Decrypt, isUri } from './decrypt.ts'
import type { GlanceFinding } from './findings.ts'
import { booleanOf, textOf } from './rows.ts'

/** Replaces the beginning of a URI. */
export interface LocationRule {
  readonly from: string
  readonly to: string
}

export interface LocationOptions {
  /** The longest `from` that fits wins. */
  readonly rules: readonly LocationRule[]
  readonly decrypt: Decrypt | undefined
  readonly stores: OpenedStores['stores']
}

/** A location as it is recorded here, or why it cannot be. */
export type ReadLocation =
  | { readonly location: ImageLocation; readonly unserved?: Omit<GlanceFinding, 'image'> }
  | { readonly unreadable: string }

/** The locations that an image of the status still has. Those of pending_delete count as deleted in the database. */
export function liveLocations(rows: readonly Row[], status: string): readonly Row[] {
  if (status === 'pending_delete') return rows.filter((row) => textOf(row['status']) === 'pending_delete')
  return status === 'deleted' ? [] : rows.filter((row) => !booleanOf(row['deleted']))
}

export function readLocation(row: Row, options: LocationOptions): ReadLocation {
  const stored = textOf(row['value']) ?? ''
  const uri = isUri(stored) ? stored : options.decrypt?.(stored)
  if (uri === undefined) {
    const what = options.decrypt === undefined ? 'is encrypted: name the key' : 'does not open under the key'
    return { unreadable: `a location ${what} (--metadata-encryption-key)` }
  }
  const status = textOf(row['status']) === 'pending_delete' ? 'pending_delete' : 'active'
  return recognised(mapped(uri, options.rules), metadataOf(row), status, options.stores)
}

/** The store of the location is recorded under its name here, which need not be what it was called before. */
function recognised(
  uri: string,
  metadata: Readonly<Record<string, string>>,
  status: ImageLocation['status'],
  stores: OpenedStores['stores'],
): ReadLocation {
  try {
    const store = stores.getStoreFromLocation({ uri, store: metadata['store'] })
    return { location: { uri, metadata: { ...metadata, store }, status } }
  } catch (error) {
    if (!isMullionError(error)) throw error
    const unserved = { code: 'location-unserved', location: redactUri(uri), detail: error.message } as const
    return { location: { uri, metadata, status }, unserved }
  }
}

function mapped(uri: string, rules: readonly LocationRule[]): string {
  const fitting = rules.filter(({ from }) => uri.startsWith(from))
  const [rule] = fitting.toSorted((a, b) => b.from.length - a.from.length)
  return rule ? rule.to + uri.slice(rule.from.length) : uri
}

/** Glance lets values be lists and objects; here they are text. */
function metadataOf(row: Row): Readonly<Record<string, string>> {
  const value = parsed(textOf(row['meta_data']) ?? '{}')
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, typeof item === 'string' ? item : JSON.stringify(item)]),
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
