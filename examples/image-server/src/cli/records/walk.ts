import { isMullionError } from 'mullion'
import type { Image, ImageFilters, ImageRegistry } from 'mullion/images'

/** A record, or why one cannot be read: its location is sealed under a key that is not configured, or was altered. */
export type Walked =
  | { readonly kind: 'image'; readonly id: string; readonly image: Image }
  | { readonly kind: 'unreadable'; readonly id: string; readonly error: Error }

export interface WalkOptions {
  readonly filters?: ImageFilters
  readonly signal: AbortSignal
}

const PAGE = 100

/** All records that match, deleted ones too, in the order of their creation; a page is held at a time. */
export async function* walk(images: ImageRegistry, { filters = {}, signal }: WalkOptions): AsyncGenerator<Walked> {
  let marker: string | undefined
  for (;;) {
    signal.throwIfAborted()
    const page = await pageAfter(images, filters, marker)
    for (const walked of page) yield walked.kind === 'image' ? await unhidden(images, walked) : walked
    marker = page.at(-1)?.id
    if (page.length < PAGE) return
  }
}

/** What a list has instead of a location that cannot be opened (@mullion/sql). */
const HIDDEN = /^sealed:/

/** A list may hide what cannot be opened; asked for alone the record tells why. */
async function unhidden(images: ImageRegistry, walked: Extract<Walked, { kind: 'image' }>): Promise<Walked> {
  const { id } = walked
  if (!walked.image.locations.some(({ uri }) => HIDDEN.test(uri))) return walked
  try {
    const image = await images.get(id)
    if (!image.locations.some(({ uri }) => HIDDEN.test(uri))) return { kind: 'image', id, image }
    return { kind: 'unreadable', id, error: new Error(`image ${id}: a location cannot be opened`) }
  } catch (error) {
    if (unreadableId(error) === undefined || !(error instanceof Error)) throw error
    return { kind: 'unreadable', id, error }
  }
}

/** A record that cannot be opened may fail the list that it is in: then they are read one by one. */
async function pageAfter(
  images: ImageRegistry,
  filters: ImageFilters,
  marker: string | undefined,
): Promise<readonly Walked[]> {
  try {
    return (await listed(images, filters, marker, PAGE)).map((image) => ({ kind: 'image', id: image.id, image }))
  } catch (error) {
    if (unreadableId(error) === undefined) throw error
  }
  const page: Walked[] = []
  while (page.length < PAGE) {
    const next = await oneAfter(images, filters, page.at(-1)?.id ?? marker)
    if (!next) break
    page.push(next)
  }
  return page
}

async function oneAfter(
  images: ImageRegistry,
  filters: ImageFilters,
  marker: string | undefined,
): Promise<Walked | undefined> {
  try {
    const [image] = await listed(images, filters, marker, 1)
    return image && { kind: 'image', id: image.id, image }
  } catch (error) {
    const id = unreadableId(error)
    if (id === undefined || !(error instanceof Error)) throw error
    return { kind: 'unreadable', id, error }
  }
}

function listed(
  images: ImageRegistry,
  filters: ImageFilters,
  marker: string | undefined,
  limit: number,
): Promise<readonly Image[]> {
  return images.list({
    scope: { kind: 'all' },
    filters,
    includeDeleted: true,
    sortKey: 'createdAt',
    sortDirection: 'asc',
    limit,
    ...(marker !== undefined && { marker }),
  })
}

/** Of the image whose location or metadata does not open; undefined for any other failure. */
function unreadableId(error: unknown): string | undefined {
  if (!isMullionError(error, 'internal') && !isMullionError(error, 'invalid_config')) return undefined
  return error.context.imageId ?? /location(?:-metadata)? of image (\S+) /.exec(error.message)?.[1]
}
