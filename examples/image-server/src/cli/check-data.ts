import { isMullionError, redactUri, type Stores } from 'mullion'
import type { Image, ImageLocation } from 'mullion/images'

/** What is wrong with the data at a location. */
export interface DataFinding {
  readonly code: 'data-missing' | 'data-size' | 'data-unchecked' | 'location-unserved'
  /** Redacted; undefined when there is no location at all. */
  readonly location?: string | undefined
  readonly detail: string
}

const STAT_MS = 60_000

/** Asks the stores about the data of an image that should have some; nothing is downloaded. */
export async function checkData(
  stores: Pick<Stores, 'getSizeFromBackend'>,
  image: Image,
  signal: AbortSignal,
): Promise<readonly DataFinding[]> {
  if (image.status !== 'active' && image.status !== 'deactivated') return []
  const active = image.locations.filter(({ status }) => status === 'active')
  if (active.length === 0) {
    return image.size === 0 ? [] : [{ code: 'data-missing', detail: 'the record names no location' }]
  }
  const findings: DataFinding[] = []
  for (const location of active) {
    const finding = await checkLocation(stores, location, image.size, signal)
    if (finding) findings.push({ ...finding, location: redactUri(location.uri) })
  }
  return findings
}

async function checkLocation(
  stores: Pick<Stores, 'getSizeFromBackend'>,
  { uri, metadata }: ImageLocation,
  expected: number | undefined,
  signal: AbortSignal,
): Promise<Pick<DataFinding, 'code' | 'detail'> | undefined> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(STAT_MS)])
  try {
    const actual = await stores.getSizeFromBackend({ uri, store: metadata['store'] }, { signal: patience })
    if (expected === undefined || actual === undefined || actual === expected) return undefined
    return { code: 'data-size', detail: `the record says ${expected} bytes, the store has ${actual}` }
  } catch (error) {
    if (signal.aborted) throw error
    if (patience.aborted) return { code: 'data-unchecked', detail: `no answer within ${STAT_MS / 1000} s` }
    if (!isMullionError(error)) throw error
    if (error.code === 'not_found') return { code: 'data-missing', detail: 'the store has nothing there' }
    return { code: UNSERVED.has(error.code) ? 'location-unserved' : 'data-unchecked', detail: error.message }
  }
}

const UNSERVED: ReadonlySet<string> = new Set(['unknown_scheme', 'invalid_location'])
