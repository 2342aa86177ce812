import type { Listed, ListOptions } from 'mullion'
import type { Api } from './api.ts'
import { brokenAnswer } from './errors.ts'
import { type GcsLocation, keyWithout } from './location.ts'
import { type Patience, retrying } from './patience.ts'

export interface ListTools {
  readonly api: Api
  readonly patience: Patience
  readonly bucket: string
  readonly prefix: string
}

/** So that a page of the longest names is an answer that `Api.json` reads. */
const PAGE = 500

/**
 * Objects of the store's own keys, and no partials: the service has no list of resumable uploads, and drops those that do
 * not end after a week (https://cloud.google.com/storage/docs/resumable-uploads#session-uris). What has a slash behind the
 * prefix is nobody's key; the delimiter spares us those pages.
 */
export async function* list(
  { api, patience, bucket, prefix }: ListTools,
  { signal, alive }: ListOptions,
  pageSize: number = PAGE,
): AsyncGenerator<Listed<GcsLocation>> {
  const path = `/storage/v1/b/${encodeURIComponent(bucket)}/o`
  const fields = 'items(name,size,updated),nextPageToken'
  const caller = { signal, alive }
  let pageToken: string | undefined
  do {
    const query = { prefix, delimiter: '/', fields, maxResults: String(pageSize), pageToken }
    const page = await retrying(patience, caller, async () => {
      const answer = await api.call({ method: 'GET', path, query, at: { bucket, object: prefix }, ...caller })
      return api.json(answer, signal)
    })
    for (const { name, size, updated } of itemsOf(page)) {
      if (keyWithout(prefix, name) === undefined) continue
      yield { kind: 'object', at: { bucket, object: name }, size, modifiedAt: updated }
    }
    pageToken = typeof page['nextPageToken'] === 'string' ? page['nextPageToken'] : undefined
  } while (pageToken !== undefined)
}

interface Item {
  readonly name: string
  readonly size: number
  readonly updated: Date
}

function itemsOf({ items = [] }: Readonly<Record<string, unknown>>): readonly Item[] {
  if (!Array.isArray(items)) throw brokenAnswer('a listing is not what the API of the service promises')
  return items.map((item: Readonly<Record<string, unknown>>) => {
    const { name, size, updated } = item
    const at = new Date(String(updated))
    if (typeof name === 'string' && /^\d{1,16}$/.test(String(size)) && !Number.isNaN(at.getTime())) {
      return { name, size: Number(size), updated: at }
    }
    throw brokenAnswer('a listing is not what the API of the service promises')
  })
}
