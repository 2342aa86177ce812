import type { AnyStore } from '../plugin.ts'
import type { Capabilities } from '../store.ts'
import type { Harness } from './harness.ts'

/** Something a case depends on. */
export type Need =
  | 'content'
  | 'write'
  | 'copyFrom'
  | 'remove'
  | 'setAcls'
  | 'list'
  | 'noWrite'
  | 'noRemove'
  | 'noAcls'
  | 'noList'
  | 'range'
  | 'noRange'
  | 'atomicWrite'
  | 'exclusiveWrite'
  | 'unknownSize'
  | 'parallel'
  | 'unit'

export interface Offer {
  readonly functions: AnyStore
  readonly capabilities: Capabilities
  readonly harness: Harness
}

/** The first need that is not met, in words. */
export function unmet(needs: readonly Need[], offer: Offer): string | undefined {
  for (const need of needs) {
    const { met, reason } = NEEDS[need]
    if (!met(offer)) return reason
  }
  return undefined
}

interface Rule {
  readonly reason: string
  met(offer: Offer): boolean
}

const NEEDS: Readonly<Record<Need, Rule>> = {
  content: {
    reason: 'the store has no write and the harness no seed, so there is nothing to read',
    met: ({ functions, harness }) => Boolean(functions.write ?? harness.seed),
  },
  write: { reason: 'the store has no write', met: ({ functions }) => Boolean(functions.write) },
  copyFrom: {
    reason: 'the store has no copyFrom, or not on this backend',
    met: ({ functions, harness }) => Boolean(functions.copyFrom) && harness.copies !== false,
  },
  remove: { reason: 'the store has no remove', met: ({ functions }) => Boolean(functions.remove) },
  setAcls: { reason: 'the store has no setAcls', met: ({ functions }) => Boolean(functions.setAcls) },
  list: { reason: 'the store has no list', met: ({ functions }) => Boolean(functions.list) },
  noWrite: { reason: 'the store has write', met: ({ functions }) => !functions.write },
  noRemove: { reason: 'the store has remove', met: ({ functions }) => !functions.remove },
  noAcls: { reason: 'the store has setAcls', met: ({ functions }) => !functions.setAcls },
  noList: { reason: 'the store has list', met: ({ functions }) => !functions.list },
  range: { reason: 'capability range is false', met: ({ capabilities }) => capabilities.range },
  noRange: { reason: 'capability range is true', met: ({ capabilities }) => !capabilities.range },
  atomicWrite: { reason: 'capability atomicWrite is false', met: ({ capabilities }) => capabilities.atomicWrite },
  exclusiveWrite: {
    reason: 'capability exclusiveWrite is false',
    met: ({ capabilities }) => capabilities.exclusiveWrite,
  },
  unknownSize: { reason: 'capability needsSize is true', met: ({ capabilities }) => !capabilities.needsSize },
  parallel: { reason: 'capability concurrency is 1', met: ({ capabilities }) => capabilities.concurrency > 1 },
  unit: { reason: 'the harness states no unit', met: ({ harness }) => harness.unit !== undefined },
}
