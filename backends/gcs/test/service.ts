import { randomUUID } from 'node:crypto'
import { collect, type ReadOptions, type WriteOptions, type WriteResult } from 'mullion'
import { afterAll, beforeAll } from 'vitest'
import type { GcsConfig, GcsLocation, GcsStore } from '../src/index.ts'
import { gcs } from '../src/index.ts'

/** A bucket of one's own, seen by plain requests rather than by the store. */
export interface Bucket {
  readonly name: string
  readonly endpoint: string
  /** A store in it, with chunks as small as may be. */
  config(more?: Partial<GcsConfig>): GcsConfig
  /** The bytes of an object by a plain request. */
  bytes(object: string): Promise<Buffer>
  metadata(object: string): Promise<Record<string, unknown>>
  put(object: string, bytes: Uint8Array, query?: Readonly<Record<string, string>>): Promise<void>
  /** Objects and uploads that were not ended. */
  list(): Promise<readonly string[]>
  /** Ends the uploads as Google does after a week. */
  endUploads(): Promise<void>
  /** A rule of the stand-in for requests about this bucket: see the top of gcs-fake.mjs. */
  rule(
    kind: string,
    where: 'upload' | 'object' | 'list',
    query?: Readonly<Record<string, string | number>>,
  ): Promise<void>
  /** No rules any more. */
  clear(): Promise<void>
  /** Requests about this bucket so far: method and Content-Range. */
  log(): Promise<readonly { readonly method: string; readonly url: string; readonly contentRange?: string }[]>
}

export const CHUNK: number = 256 * 1024

/** Made before the tests of a file, removed after them. */
export function bucketOn(endpoint: string): Bucket {
  const name = `mullion-${randomUUID()}`
  const objects = `${endpoint}/storage/v1/b/${name}/o`
  const url = (object: string): string => `${objects}/${encodeURIComponent(object)}`
  const paths = {
    upload: `/upload/storage/v1/b/${name}/o`,
    object: `/storage/v1/b/${name}/o/`,
    list: `/storage/v1/b/${name}/o?`,
  }

  async function ask(to: string, init: RequestInit = {}): Promise<Response> {
    const answer = await fetch(to, init)
    if (!answer.ok) throw new Error(`${init.method ?? 'GET'} ${to}: ${answer.status}`)
    return answer
  }
  async function names(): Promise<readonly string[]> {
    const { items = [] } = (await (await ask(objects)).json()) as { items?: { name: string }[] }
    return items.map((item) => item.name)
  }
  const sessions = `${endpoint}/_control/sessions?bucket=${name}`
  const post = (to: string, body: unknown): Promise<Response> =>
    ask(to, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

  beforeAll(async () => void (await post(`${endpoint}/storage/v1/b?project=mullion-test`, { name })))
  afterAll(async () => {
    for (const object of await names()) await ask(url(object), { method: 'DELETE' })
    await ask(sessions, { method: 'DELETE' })
    await ask(`${endpoint}/storage/v1/b/${name}`, { method: 'DELETE' })
  })

  return {
    name,
    endpoint,
    config: (more = {}) => ({ bucket: name, endpoint, chunkSize: CHUNK, uploadAttempts: 4, ...more }),
    bytes: async (object) => Buffer.from(await (await ask(`${url(object)}?alt=media`)).arrayBuffer()),
    metadata: async (object) => (await (await ask(url(object))).json()) as Record<string, unknown>,
    async put(object, bytes, query = {}) {
      const search = new URLSearchParams({ uploadType: 'media', name: object, ...query })
      await ask(`${endpoint}${paths.upload}?${search.toString()}`, { method: 'POST', body: Buffer.from(bytes) })
    },
    async list() {
      const open = (await (await ask(sessions)).json()) as readonly string[]
      return [...(await names()), ...open.map((object) => `upload of ${object}`)]
    },
    endUploads: async () => void (await ask(sessions, { method: 'DELETE' })),
    async rule(kind, where, query = {}) {
      const given = Object.entries(query).map(([key, value]): [string, string] => [key, String(value)])
      await post(
        `${endpoint}/_control/${kind}?${new URLSearchParams([['path', paths[where]], ...given]).toString()}`,
        {},
      )
    },
    async clear() {
      for (const path of Object.values(paths)) {
        await ask(`${endpoint}/_control/rules?path=${encodeURIComponent(path)}`, { method: 'DELETE' })
      }
    },
    async log() {
      const all = (await (await ask(`${endpoint}/_control/log`)).json()) as Awaited<ReturnType<Bucket['log']>>
      return all.filter((request) => request.url.includes(`/b/${name}/`))
    },
  }
}

export const never: AbortSignal = new AbortController().signal

/** The store alone, without the retries and checks of `createStores`. */
export async function openStore(config: GcsConfig, log: (message: string) => void = () => {}): Promise<GcsStore> {
  return gcs(config).open({ id: 'tested', now: () => 0, log })
}

export function writeTo(
  store: GcsStore,
  key: string,
  body: AsyncIterable<Uint8Array>,
  options: Partial<WriteOptions<GcsLocation>> = {},
): Promise<WriteResult<GcsLocation>> {
  const usual = { size: undefined, metadata: {}, signal: never, announce: async () => {}, alive() {} }
  return store.write(key, body, { ...usual, ...options })
}

export async function readFrom(
  store: GcsStore,
  at: GcsLocation,
  options: Partial<ReadOptions> = {},
): Promise<{ readonly bytes: Uint8Array; readonly size: number | undefined; readonly etag: string | undefined }> {
  const { body, size, etag } = await store.read(at, { offset: 0, length: undefined, signal: never, ...options })
  return { bytes: await collect(body), size, etag }
}
