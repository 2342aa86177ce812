/**
 * Code → details. A code names a cause, never an operation. Adding a line here breaks the server's status map and the
 * documentation test until both know it.
 */
export interface ErrorDetails {
  not_found: { readonly location: string }
  already_exists: { readonly key: string }
  in_use: { readonly location: string }
  unknown_scheme: { readonly scheme: string; readonly known: readonly string[] }
  invalid_location: { readonly reason: string }
  invalid_argument: { readonly name: string }
  invalid_config: { readonly plugin: string; readonly issues: readonly string[] }
  unsupported: { readonly operation: string }
  size_mismatch: { readonly expected: number; readonly actual: number }
  hash_mismatch: { readonly algorithm: string; readonly expected: string; readonly actual: string }
  too_large: { readonly limit: number }
  /** Bytes, or members of an image; `remaining` is what would still be allowed. */
  quota_exceeded: { readonly size: number; readonly remaining: number }
  storage_full: Record<never, never>
  permission_denied: Record<never, never>
  unauthenticated: Record<never, never>
  unavailable: { readonly afterMs?: number }
  timeout: { readonly limitMs: number }
  rate_limited: { readonly afterMs?: number }
  invalid_transition: { readonly event: string; readonly status: string }
  conflict: { readonly expected: string }
  closed: Record<never, never>
  internal: Record<never, never>
}

export type ErrorCode = keyof ErrorDetails

/** What each code means and what to do about it: the source of the error reference in the docs. */
export const ERRORS: { readonly [C in ErrorCode]: { readonly meaning: string; readonly remedy: string } } = {
  not_found: {
    meaning: 'nothing is stored at the location, or no such record',
    remedy: 'check the location or id; the data may have been deleted',
  },
  already_exists: {
    meaning: 'the key or id is taken; what is there was left untouched',
    remedy: 'choose another id, or delete the old one first',
  },
  in_use: {
    meaning: 'something still depends on the object, such as a clone',
    remedy: 'remove the dependents, then delete again',
  },
  unknown_scheme: {
    meaning: 'no configured store serves the scheme of the location',
    remedy: 'configure a store for the scheme',
  },
  invalid_location: { meaning: 'the text is no location, or lies outside every store', remedy: 'correct the location' },
  invalid_argument: { meaning: 'an argument breaks its documented rule', remedy: 'correct the named argument' },
  invalid_config: { meaning: 'the configuration of a store was refused', remedy: 'correct the listed keys' },
  unsupported: {
    meaning: 'the store does not offer the operation',
    remedy: 'use a store that does; see its capabilities',
  },
  size_mismatch: {
    meaning: 'more or fewer bytes arrived than were announced; nothing was stored',
    remedy: 'announce the right size, or send all bytes',
  },
  hash_mismatch: {
    meaning: 'the bytes do not have the expected digest; nothing was stored',
    remedy: 'send the data again; if it repeats, the source is corrupt',
  },
  too_large: {
    meaning: 'the data is larger than the limit; nothing was stored',
    remedy: 'raise the limit or send less',
  },
  quota_exceeded: {
    meaning: 'an owner would store, or an image would have, more than the quota; nothing was stored',
    remedy: 'delete what is not needed, or raise the quota',
  },
  storage_full: { meaning: 'the storage has no room, or a quota is used up', remedy: 'free space or add storage' },
  permission_denied: {
    meaning: 'the storage or a policy refuses the operation',
    remedy: 'grant the permission the message names',
  },
  unauthenticated: {
    meaning: 'the storage does not accept the credentials',
    remedy: 'renew or correct the credentials',
  },
  unavailable: { meaning: 'the storage cannot be reached or fails for now', remedy: 'try again later' },
  timeout: {
    meaning: 'nothing happened for longer than the limit',
    remedy: 'check the peer; raise the limit if it is only slow',
  },
  rate_limited: { meaning: 'the storage asks for fewer calls', remedy: 'try again later, or lower the concurrency' },
  invalid_transition: {
    meaning: 'the image is not in a status that allows the event',
    remedy: 'look at the status of the image first',
  },
  conflict: { meaning: 'the record changed meanwhile; nothing was written', remedy: 'read it again and decide anew' },
  closed: { meaning: 'the stores were closed', remedy: 'do not use them after close()' },
  internal: { meaning: 'an error no code describes; see its cause', remedy: 'report it with its cause' },
}

/** Where an error happened. The location is redacted. */
export interface ErrorContext {
  readonly operation?: string
  readonly store?: string
  readonly location?: string
  readonly imageId?: string
  /** 1 for the first attempt. */
  readonly attempt?: number
}

export interface ErrorInit<C extends ErrorCode> {
  readonly details: ErrorDetails[C]
  readonly context?: ErrorContext
  readonly cause?: unknown
  /** Default: true for `unavailable`, `timeout` and `rate_limited`. */
  readonly retryable?: boolean
}

const BRAND = Symbol.for('mullion.error')
const RETRYABLE: ReadonlySet<ErrorCode> = new Set(['unavailable', 'timeout', 'rate_limited'])

/** The one error of mullion. Tell kinds apart by `code`; recognise it by `isMullionError`, never by `instanceof`. */
export class MullionError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'MullionError'
  readonly code: C
  readonly details: ErrorDetails[C]
  readonly context: ErrorContext
  /** Whether the same call may succeed later. False again once the library has spent its own attempts. */
  readonly retryable: boolean

  constructor(code: C, message: string, init: ErrorInit<C>) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.code = code
    this.details = init.details
    this.context = init.context ?? {}
    this.retryable = init.retryable ?? RETRYABLE.has(code)
    Object.defineProperty(this, BRAND, { value: true })
  }
}

/** True for a MullionError of any installed copy of the library, with `code` when one is given. */
export function isMullionError<C extends ErrorCode>(error: unknown, code?: C): error is MullionError<C> {
  if (typeof error !== 'object' || error === null || !(BRAND in error)) return false
  return code === undefined || (error as Partial<MullionError>).code === code
}

/** The same error with more context; what was known before wins. Keeps the stack and the cause of the original. */
export function inContext<C extends ErrorCode>(
  error: MullionError<C>,
  context: ErrorContext,
  retryable: boolean = error.retryable,
): MullionError<C> {
  const copy = new MullionError(error.code, error.message, {
    details: error.details,
    context: { ...context, ...error.context },
    cause: error.cause,
    retryable,
  })
  if (error.stack !== undefined) copy.stack = error.stack
  return copy
}
