import { orAborted } from './abort.ts'
import { isMullionError, MullionError } from './errors.ts'
import { makeLocation, schemeOf } from './location.ts'
import { type OpenedStore, translated, unsupported } from './opened.ts'

/** How long taking back a failed write may last. */
const UNDO_TIMEOUT_MS = 60_000

/**
 * Removes what a failed write left at `at`. Resolves with `error`, the reason of the failure; if the removal fails too,
 * the operator is told, and an error of ours gains both causes and the location: nothing is orphaned silently.
 */
export async function undo(opened: OpenedStore, at: unknown, error: unknown): Promise<unknown> {
  try {
    await removed(opened, at)
    return error
  } catch (cause) {
    const second = translated(opened, cause, { operation: 'remove' })
    if (second.code === 'not_found') return error
    const uri = opened.spec.location.format(at)
    const location = String(makeLocation(schemeOf(uri), opened.id, uri))
    opened.log('what a failed write left could not be removed', { location, error: second.message })
    if (!isMullionError(error)) return error
    return new MullionError(error.code, `${error.message}; could not remove ${location}: ${second.message}`, {
      details: error.details,
      context: { ...error.context, location },
      cause: new AggregateError([error, second]),
      retryable: false,
    })
  }
}

async function removed(opened: OpenedStore, at: unknown): Promise<void> {
  const { remove } = opened.store
  if (!remove) throw unsupported(opened, 'delete', 'cannot delete')
  const signal = AbortSignal.timeout(UNDO_TIMEOUT_MS)
  await orAborted(remove(at, { signal }), signal, () => {})
}
