import { isMullionError, redactUri } from 'mullion'
import { type Actor, assertExternalSource } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { enforce } from './access.ts'
import type { V1 } from './context.ts'
import type { Metadata } from './metadata.ts'

/** Where the data of an image is to be found, or to be fetched from. The URI may hold a secret. */
export interface ExternalSource {
  readonly kind: 'register' | 'copyFrom'
  readonly uri: string
}

/**
 * The source the request names, undefined when it names none. Does no I/O. Throws 400 unless it is acceptable; `invalid`
 * comes before a location that cannot be parsed.
 */
export async function externalSource(
  v1: V1,
  actor: Actor,
  meta: Metadata,
  invalid: string,
): Promise<ExternalSource | undefined> {
  const source = await namedSource(v1, actor, meta)
  if (!source) return undefined
  if (source.uri === '') throw new ApiError(400, 'External source should not be empty')
  try {
    assertExternalSource(v1.ports, source.uri, { refusedSchemes: v1.settings.refusedSchemes })
    v1.ports.checkSource?.(source.uri)
  } catch (error) {
    throw refusal(source.uri, error, invalid)
  }
  return source
}

async function namedSource(
  v1: V1,
  actor: Actor,
  { location, copyFrom }: Metadata,
): Promise<ExternalSource | undefined> {
  if (location !== undefined) {
    await enforce(v1, 'set_image_location', actor)
    return { kind: 'register', uri: location ?? '' }
  }
  return copyFrom === undefined ? undefined : { kind: 'copyFrom', uri: copyFrom }
}

/** Core refuses with `invalid_location` both what no user may name and what no store can read. */
function refusal(uri: string, error: unknown, invalid: string): unknown {
  if (!isMullionError(error, 'invalid_location')) return sourceFailure(uri, error)
  const refused = REFUSED.has(error.details.reason)
  const text = refused ? `External sources are not supported: '${redactUri(uri)}'` : `${invalid} ${redactUri(uri)}`
  return new ApiError(400, text, { cause: error })
}

const REFUSED: ReadonlySet<string> = new Set(['refused scheme', 'no scheme', 'blank or control character'])

/** The client's size unless 0, else what the store of the source says; undefined when it cannot tell. Throws 404, 400. */
export async function sizeOfSource(
  { ports }: V1,
  { uri }: ExternalSource,
  size: number | undefined,
): Promise<number | undefined> {
  if (size !== undefined && size !== 0) return size
  try {
    return await ports.stores.getSizeFromBackend(uri)
  } catch (error) {
    throw sourceFailure(uri, error)
  }
}

/** The answer to a source that is refused or cannot be reached. Says nothing the client did not send. */
export function sourceFailure(uri: string, error: unknown): unknown {
  if (!isMullionError(error)) return error
  const shown = redactUri(uri)
  const init = { cause: error }
  switch (error.code) {
    case 'unknown_scheme':
      return new ApiError(400, `External sources are not supported: '${shown}'`, init)
    case 'invalid_location':
      return new ApiError(400, `Invalid location ${shown}`, init)
    case 'not_found':
      return new ApiError(404, 'HTTP datastore could not find image at URI.', init)
    case 'unauthenticated':
    case 'permission_denied':
    case 'rate_limited':
      return new ApiError(400, `HTTP URL ${shown} returned a ${REFUSALS[error.code]} status code.`, init)
    case 'unavailable':
    case 'timeout':
    case 'unsupported':
      return new ApiError(400, `The HTTP URL is invalid: ${shown}`, init)
    default:
      return error
  }
}

const REFUSALS = { unauthenticated: 401, permission_denied: 403, rate_limited: 429 }
