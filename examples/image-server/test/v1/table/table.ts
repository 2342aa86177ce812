import { idKey, type Image, type ImageRegistry, type MemberRegistry, newImage, type TaskQueue } from 'mullion/images'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRemote } from '../remote.ts'
import { type Answer, identity, RAW, startServer, type TestServer } from '../server.ts'
import { type Expected, type Route, RULES, type State, STATES, WHO, type Who } from './oracle.ts'

const CALLER: Readonly<Record<Who, Record<string, string>>> = {
  admin: identity('ops', 'admin'),
  owner: identity('t1', 'member'),
  member: identity('t2', 'member'),
  stranger: identity('t3', 'member'),
  sharer: identity('t4', 'member'),
  anonymous: {},
}
const KEEP = { 'x-glance-registry-purge-props': 'false' }
const FORMATS = { 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare' }

/** An image of tenant t1 in that state, with data where there has to be some, shared with t2 and (to share on) t4. */
async function prepare({ ports }: TestServer, { status, isPublic }: State): Promise<Image> {
  const visibility = isPublic ? 'public' : 'private'
  const draft = { owner: 't1', visibility, diskFormat: 'raw', containerFormat: 'bare', name: 'before' } as const
  const { id } = await ports.images.insert(newImage(draft, new Date(), () => crypto.randomUUID()))
  await ports.members.put(id, { member: 't2', canShare: false })
  await ports.members.put(id, { member: 't4', canShare: true })
  const hasData = ['active', 'deactivated', 'pending_delete'].includes(status)
  const deletedAt = ['deleted', 'pending_delete'].includes(status) ? new Date() : undefined
  const location = { uri: `memory://${id}`, metadata: {}, status: 'active' } as const
  if (hasData) await ports.stores.add(id, Buffer.from('data'))
  return ports.images.update(id, { status, deletedAt, ...(hasData && { locations: [location], size: 4 }) })
}

function send(server: TestServer, route: Route, { id }: Image, who: Who, remote: string): Promise<Answer> {
  const at = `/v1/images/${id}`
  const caller = CALLER[who]
  switch (route) {
    case 'head':
      return server.call('HEAD', at, caller)
    case 'get':
      return server.call('GET', at, caller)
    case 'rename':
      return server.call('PUT', at, { ...caller, ...KEEP, 'x-image-meta-name': 'after' })
    case 'upload':
      return server.call('PUT', at, { ...caller, ...RAW, 'x-image-meta-name': 'after' }, 'new data')
    case 'register':
      return server.call('PUT', at, { ...caller, ...KEEP, ...FORMATS, 'x-image-meta-location': remote })
    case 'remove':
      return server.call('DELETE', at, caller)
    case 'members':
      return server.call('GET', `${at}/members`, caller)
    case 'addMember':
      return server.call('PUT', `${at}/members/t9`, caller)
    case 'replaceMembers':
      return server.call('PUT', `${at}/members`, caller, '{"memberships":[{"member_id":"t4"},{"member_id":"t9"}]}')
    case 'removeMember':
      return server.call('DELETE', `${at}/members/t2`, caller)
    case 'listBrief':
      return server.call('GET', '/v1/images?limit=1000', caller)
    case 'listDetail':
      return server.call('GET', '/v1/images/detail?limit=1000', caller)
    case 'sharedImages':
      return server.call('GET', '/v1/shared-images/t2', caller)
    case 'create':
      return server.call('POST', '/v1/images', { ...caller, 'x-image-meta-id': idKey(id) })
  }
}

/** What is to be seen of an image from inside, as far as requests may change it. */
async function facts({ ports }: TestServer, id: string) {
  const { status, name, size, locations, visibility, owner, updatedAt } = await ports.images.get(id)
  const shared = (await ports.members.list(id)).map(({ member }) => member).toSorted()
  const stored = await ports.stores.getSizeFromBackend(`memory://${id}`).catch(() => undefined)
  return {
    status,
    name,
    size,
    locations: locations.map(({ uri }) => uri),
    visibility,
    owner,
    shared,
    stored,
    updatedAt,
  }
}
type Facts = Awaited<ReturnType<typeof facts>>

function changed(id: string, { effect }: Expected, remote: string): Partial<Facts> {
  switch (effect) {
    case 'renamed':
      return { name: 'after' }
    case 'uploaded':
      return { name: 'after', status: 'active', size: 8, stored: 8, locations: [`memory://${id}`] }
    case 'registered':
      return { status: 'active', size: 11, locations: [remote] }
    case 'removed':
      return { status: 'deleted', locations: [], shared: [], stored: undefined }
    case 'shared':
      return { shared: ['t2', 't4', 't9'] }
    case 'sharedOnly':
      return { shared: ['t4', 't9'] }
    case 'unshared':
      return { shared: ['t4'] }
    default:
      return {}
  }
}

const LISTS: ReadonlySet<Route> = new Set(['listBrief', 'listDetail', 'sharedImages'])

function shown(route: Route, answer: Answer, { id }: Image): string {
  if (!LISTS.has(route)) return answer.text
  if (route === 'sharedImages') return answer.text.includes(id) ? 'listed' : 'not listed'
  return answer.json.images.some((image) => image.id === id) ? 'listed' : 'not listed'
}

/** Where the records are kept. */
export interface Records {
  readonly images: ImageRegistry
  readonly members: MemberRegistry
  readonly tasks: TaskQueue
  close(): Promise<void>
}

/** Every route, for every kind of caller, on an image in every state, over records of this kind. Default: in memory. */
export function describeTable(name: string, open?: () => Promise<Records>): void {
  describe(name, () => {
    let opened: Records | undefined
    beforeAll(async () => {
      opened = await open?.()
    })
    afterAll(() => opened?.close())
    describeRows(() => (opened ? { images: opened.images, members: opened.members, tasks: opened.tasks } : {}))
  })
}

function describeRows(records: () => Partial<Omit<Records, 'close'>>): void {
  describe.each(Object.keys(RULES) as Route[])('%s', (route) => {
    it.each(WHO)('as %s, for an image in any state, answers and does what Images v1 says', async (who) => {
      const server = await startServer({ settings: { auth: 'trusted', allowAnonymousAccess: true }, ports: records() })
      const remote = `${(await startRemote()).url}/data`
      const rows: unknown[] = []
      const table: unknown[] = []
      for (const state of STATES) {
        const image = await prepare(server, state)
        const before = await facts(server, image.id)
        const answer = await send(server, route, image, who, remote)
        const { updatedAt, ...after } = await facts(server, image.id)
        const expected: Expected = RULES[route](who, state)
        const text = shown(route, answer, image)
        const isTold = expected.text === undefined || text.includes(expected.text)
        const { updatedAt: _, ...same } = before
        const untouched = expected.effect !== undefined || updatedAt.getTime() === before.updatedAt.getTime()
        rows.push({ state, code: answer.status, text: isTold ? expected.text : text, after, untouched })
        const { updatedAt: _moved, ...expectedAfter } = { ...same, ...changed(image.id, expected, remote) }
        table.push({ state, code: expected.code, text: expected.text, after: expectedAfter, untouched: true })
      }
      expect(rows).toEqual(table)
    })
  })

  it.each(Object.keys(RULES) as Route[])(
    '%s: 401 without an identity, in any state, and nothing changes',
    async (route) => {
      const server = await startServer({ settings: { auth: 'trusted' }, ports: records() })
      for (const state of STATES) {
        const image = await prepare(server, state)
        const before = await facts(server, image.id)
        expect((await send(server, route, image, 'anonymous', 'http://127.0.0.1:9/x')).status).toBe(401)
        expect(await facts(server, image.id)).toEqual(before)
      }
    },
  )
}
