import { randomBytes } from 'node:crypto'
import { swift, type SwiftAuth, type SwiftConfig } from '@mullion/swift'
import { createStores, type Stores, type StoreSpec } from 'mullion'
import type { SwiftStore } from '../src/store.ts'

/** A server and who we are there, asked without the store under test. */
export interface Service {
  readonly auth: SwiftAuth
  /** What `auth` is worth: of the account and a token for it. */
  login(): Promise<{ readonly storageUrl: string; readonly token: string }>
}

/** Containers of one test file, listed and removed through the API itself. */
export interface Sandbox {
  /** The container of images; all others begin with its name too. */
  readonly container: string
  /** A store on it with segments of 256 KiB. */
  store(config?: Partial<SwiftConfig>): StoreSpec<SwiftStore>
  fetch(
    method: string,
    path: string,
    init?: { headers?: Record<string, string>; body?: Uint8Array<ArrayBuffer> | string },
  ): Promise<Response>
  /** `container/object` of everything, segments and claims included, and the containers themselves. */
  list(): Promise<readonly string[]>
  remove(): Promise<void>
}

export const UNIT: number = 256 * 1024

export function sandbox({ auth, login }: Service): Sandbox {
  const container = `mullion-${randomBytes(5).toString('hex')}`
  let session: ReturnType<Service['login']> | undefined

  const it: Sandbox = {
    container,
    store: (config) =>
      swift({
        auth,
        container,
        createContainer: true,
        segmentSize: UNIT,
        largeObjectSize: UNIT,
        exclusiveWaitMs: 150,
        ...config,
      }),
    async fetch(method, path, { headers, body } = {}) {
      session ??= login()
      const { storageUrl, token } = await session
      const sent = body === undefined ? {} : { body }
      return fetch(storageUrl + path, { method, headers: { 'x-auth-token': token, ...headers }, ...sent })
    },
    async list() {
      const names = await namesIn(it, `?format=json&prefix=${container}`)
      const objects = names.map(async (name) => (await namesIn(it, `/${name}?format=json`)).map((o) => `${name}/${o}`))
      return [...names, ...(await Promise.all(objects)).flat()].toSorted()
    },
    async remove() {
      for (const path of (await it.list()).toReversed()) {
        await it.fetch('DELETE', `/${path.split('/').map(encodeURIComponent).join('/')}`)
      }
    },
  }
  return it
}

/** Swift's TempAuth, or radosgw. */
export function v1Service(url: string, user: string, key: string): Service {
  return {
    auth: { type: 'v1', url, user, key },
    async login() {
      const { headers } = await fetch(url, { headers: { 'x-auth-user': user, 'x-auth-key': key } })
      return { storageUrl: headers.get('x-storage-url') ?? '', token: headers.get('x-auth-token') ?? '' }
    },
  }
}

async function namesIn({ fetch: ask }: Sandbox, path: string): Promise<readonly string[]> {
  const answer = await ask('GET', path)
  if (answer.status === 404 || answer.status === 204) return []
  if (!answer.ok) throw new Error(`GET ${path}: ${answer.status}`)
  return ((await answer.json()) as readonly { name: string }[]).map(({ name }) => name)
}

/** Keystone v3. */
export function keystoneService(url: string, user: string, password: string, project: string): Service {
  return {
    auth: { type: 'password', url, user, password, project },
    async login() {
      const domain = { id: 'default' }
      const auth = {
        identity: { methods: ['password'], password: { user: { name: user, domain, password } } },
        scope: { project: { name: project, domain } },
      }
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(`${url}/auth/tokens`, { method: 'POST', headers, body: JSON.stringify({ auth }) })
      const { token } = (await answer.json()) as { token: { catalog: readonly CatalogEntry[] } }
      const endpoints = token.catalog.find(({ type }) => type === 'object-store')?.endpoints ?? []
      const here = endpoints.find(({ interface: kind, region }) => kind === 'public' && region === 'RegionOne')
      return { storageUrl: here?.url ?? '', token: answer.headers.get('x-subject-token') ?? '' }
    },
  }
}

interface CatalogEntry {
  readonly type: string
  readonly endpoints: readonly { readonly interface: string; readonly region: string; readonly url: string }[]
}

/**
 * A store whose containers take no object: bytes are counted with what the proxy remembers of a container for a minute, so
 * a limit of bytes is no sharp one.
 */
export async function fullStore(box: Sandbox): Promise<StoreSpec<SwiftStore>> {
  const container = `${box.container}-full`
  for (const name of [container, `${container}_segments`]) {
    await box.fetch('PUT', `/${name}`, { headers: { 'x-container-meta-quota-count': '0' } })
  }
  return box.store({ container, createContainer: false })
}

/** Stores whose default is one of the sandbox, which sweeps nothing. */
export async function open(
  box: Sandbox,
  config: Partial<SwiftConfig> = {},
  attempts = 3,
): Promise<Stores<{ tested: StoreSpec<SwiftStore> }>> {
  const stores = { tested: box.store({ staleUploadMs: false, ...config }) }
  return createStores({ stores, default: 'tested', retry: { attempts, baseMs: 10, maxMs: 50 } })
}

/** What the locations of a service begin with. */
export async function base(service: Service): Promise<string> {
  return `swift+${(await service.login()).storageUrl}`
}

export async function namesOf(box: Sandbox, container: string, prefix: string): Promise<readonly string[]> {
  return (await listed(box, container, prefix)).map(({ name }) => name)
}

export async function sizesOf(box: Sandbox, container: string, prefix: string): Promise<readonly number[]> {
  return (await listed(box, container, prefix)).map(({ bytes }) => bytes)
}

async function listed(box: Sandbox, container: string, prefix: string) {
  const answer = await box.fetch('GET', `/${container}?format=json&prefix=${prefix}`)
  if (!answer.ok || answer.status === 204) return []
  return (await answer.json()) as readonly { name: string; bytes: number }[]
}
