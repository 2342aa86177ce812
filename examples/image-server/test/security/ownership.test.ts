import { openRegistry } from '@mullion/sql'
import { type ImageStatus, memoryRegistry } from 'mullion/images'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type Answer,
  identity,
  policyWithout,
  RAW,
  reserved,
  startServer,
  type TestServer,
  uploaded,
} from '../v1/server.ts'
import { FORMATS, LOCATION, serving, shape, SOURCE_HEADERS, startOrigin } from './scene.ts'

const owner = identity('t1', 'member')
const other = identity('t2', 'member')
const admin = identity('ops', 'admin')
const trusted = { auth: 'trusted' } as const
const ID = '6f9619ff-8b86-4d01-b42d-00cf4fc964ff'

const send = (server: TestServer, method: string, id: string, headers: object, body?: string): Promise<Answer> =>
  server.call(method, `/v1/images/${id}`, { ...headers }, body)

describe.each([false, true])('deleting (delayed: %j)', (delayedDelete) => {
  it.each([
    ['a public image', { 'x-image-meta-is_public': 'true' }, 403],
    ['a protected image', { 'x-image-meta-is_public': 'true', 'x-image-meta-protected': 'true' }, 403],
    ['an image shared with one', {}, 404],
    ['a protected image shared with one', { 'x-image-meta-protected': 'true' }, 403],
  ])(
    'S-01 (CVE-2012-4573, CVE-2012-5482): %s of somebody else leaves its data alone',
    async (_what, headers, status) => {
      const server = await startServer({ settings: { ...trusted, delayedDelete } })
      const id = await uploaded(server, 'data', { ...owner, ...headers })
      await server.call('PUT', `/v1/images/${id}/members/t2`, owner)
      const before = await server.image(id)
      expect((await send(server, 'DELETE', id, other)).status).toBe(status)
      expect(await server.image(id)).toEqual(before)
      expect((await send(server, 'GET', id, owner)).text).toBe('data')
    },
  )
})

describe('an image with data', () => {
  it('S-19 (CVE-2016-0757): never goes back to queued, nor loses or changes its data', async () => {
    const [server, origin] = [await startServer({ settings: trusted }), await startOrigin(serving('other'))]
    const id = await uploaded(server, 'data', owner)
    const before = await server.image(id)
    for (const who of [owner, admin]) {
      const tries: [object, number, string?][] = [
        [{ 'x-image-meta-status': 'queued' }, 403],
        [{ 'x-image-meta-status': 'killed' }, 403],
        [{ [LOCATION]: origin.url }, 400],
        [{ [LOCATION]: '' }, 400],
        [{ [LOCATION]: '[]' }, 400],
        [{ 'x-glance-api-copy-from': origin.url }, 400],
        [RAW, 409, 'other'],
        [{ 'x-image-meta-deleted': 'true', 'x-image-meta-store': 'http' }, 200],
      ]
      for (const [headers, status, body] of tries)
        expect((await send(server, 'PUT', id, { ...who, ...headers }, body)).status).toBe(status)
    }
    const after = await server.image(id)
    expect(after).toEqual({ ...before, updatedAt: after.updatedAt })
    expect((await send(server, 'GET', id, owner)).text).toBe('data')
    expect(origin.connections).toEqual([])
  })

  it('S-22 (CVE-2022-4134, OSSN-0090): is never pointed elsewhere, so its checksum stays that of its data', async () => {
    const [server, origin] = [await startServer({ settings: trusted }), await startOrigin(serving('data'))]
    const made = await server.call('POST', '/v1/images', { ...FORMATS, ...owner, [LOCATION]: `${origin.url}/1` })
    const { id } = made.json.image
    for (const who of [owner, admin]) {
      for (const header of SOURCE_HEADERS) {
        expect((await send(server, 'PUT', id, { ...who, [header]: `${origin.url}/2` })).status).toBe(400)
      }
    }
    expect((await server.image(id)).locations.map(({ uri }) => uri)).toEqual([`${origin.url}/1`])
    expect(origin.requests.filter(({ url }) => url === '/2')).toEqual([])
  })

  it('S-22 (CVE-2022-4134): a policy keeps users from naming locations at all', async () => {
    const origin = await startOrigin(serving('data'))
    const server = await startServer({ ports: { policy: policyWithout('set_image_location') } })
    const id = await reserved(server, FORMATS)
    const headers = { ...FORMATS, [LOCATION]: origin.url }
    const answers = [await server.call('POST', '/v1/images', headers), await send(server, 'PUT', id, headers)]
    expect(answers.map(({ status }) => status)).toEqual([403, 403])
    expect(origin.connections).toEqual([])
  })
})

describe('the state of an image', () => {
  const OTHER: readonly ImageStatus[] = ['saving', 'active', 'killed', 'deactivated', 'pending_delete']

  it.each(OTHER)('S-47: no location and no data come to an image that is %s', async (status) => {
    const [server, origin] = [await startServer({ settings: trusted }), await startOrigin(serving('data'))]
    const id = await reserved(server, { ...owner, ...FORMATS })
    await server.ports.images.update(id, { status })
    for (const header of SOURCE_HEADERS) {
      expect((await send(server, 'PUT', id, { ...owner, [header]: origin.url })).status).toBe(400)
    }
    expect((await send(server, 'PUT', id, { ...owner, ...RAW }, 'data')).status).toBe(409)
    expect(await server.image(id)).toMatchObject({ status, locations: [] })
    expect(origin.connections).toEqual([])
  })

  it('S-48 (LP 1889640, 1889676): is active only with a location, or with nothing to store', async () => {
    const server = await startServer({ settings: trusted })
    const claims: object[] = [
      { 'x-image-meta-status': 'active' },
      { 'x-image-meta-status': 'active', 'x-image-meta-size': '4', 'x-image-meta-checksum': 'x' },
      { 'x-image-meta-property-stores': 'memory', 'x-image-meta-property-os_glance_importing_to_stores': 'memory' },
      { 'x-image-meta-property-locations': '[{"url":"memory://x","metadata":{}}]' },
    ]
    for (const claim of claims) {
      const id = await reserved(server, { ...owner, ...FORMATS, ...claim })
      expect(await server.image(id)).toMatchObject({ status: 'queued', locations: [] })
      expect((await send(server, 'PUT', id, { ...owner, 'x-image-meta-status': 'active' })).status).toBe(403)
      expect((await send(server, 'GET', id, owner)).status).toBe(404)
    }
    const empty = await reserved(server, { ...owner, ...FORMATS, 'x-image-meta-size': '0' })
    expect(await server.image(empty)).toMatchObject({ status: 'active', size: 0, locations: [] })
    expect((await send(server, 'GET', empty, owner)).body).toHaveLength(0)
    const full = await uploaded(server, 'data', owner)
    expect((await server.image(full)).locations).toHaveLength(1)
  })
})

describe('the id of an image', () => {
  const twins = [ID, ID.toUpperCase(), ID.replaceAll('-', ''), ID.replace(/^../, (two) => two.toUpperCase())]

  it.each([
    ['in memory', () => memoryRegistry()],
    ['in a database', async () => opened()],
  ])('S-34 (OSSN-0075): is never given again, in whatever letters, by records kept %s', async (_where, records) => {
    const server = await startServer({ settings: trusted, ports: { ...(await records()) } })
    const take = async (): Promise<readonly number[]> => {
      const answers: number[] = []
      for (const who of [owner, other, admin]) {
        for (const twin of twins) {
          const answer = await server.call('POST', '/v1/images', { ...who, ...RAW, 'x-image-meta-id': twin }, 'forged')
          answers.push(answer.status)
        }
      }
      return answers
    }
    await uploaded(server, 'data', { ...owner, 'x-image-meta-id': ID })
    expect(new Set(await take())).toEqual(new Set([409]))
    expect((await send(server, 'GET', ID, owner)).text).toBe('data')
    await send(server, 'DELETE', ID, owner)
    expect(new Set(await take())).toEqual(new Set([409]))
    expect((await send(server, 'GET', ID, owner)).status).toBe(404)
  })

  it('S-46: is not changed by whoever may change everything else', async () => {
    const server = await startServer({ settings: trusted })
    const id = await uploaded(server, 'data', owner)
    const before = await server.image(id)
    for (const who of [owner, admin]) {
      const answer = await send(server, 'PUT', id, { ...who, 'x-image-meta-id': ID, 'x-image-meta-name': 'new' })
      expect(answer.status).toBe(403)
    }
    expect(await server.image(id)).toEqual(before)
    expect((await send(server, 'HEAD', ID, admin)).status).toBe(404)
  })

  it('S-82: chosen by a creator, tells that an image of another has it, and nothing else of that image', async () => {
    const server = await startServer({ settings: trusted })
    const ids = [
      await uploaded(server, 'data', owner),
      await reserved(server, owner),
      await uploaded(server, '', owner),
    ]
    await send(server, 'DELETE', ids[2] ?? '', owner)
    const seen = new Set<string>()
    for (const id of ids) {
      const answer = await server.call('POST', '/v1/images', { ...other, 'x-image-meta-id': id })
      seen.add(JSON.stringify(shape(answer, id)))
    }
    expect([...seen]).toEqual([expect.stringContaining('"status":409')])
  })
})

async function opened(): Promise<Awaited<ReturnType<typeof openRegistry>>> {
  const registry = await openRegistry({ file: ':memory:' })
  onTestFinished(() => registry.close())
  return registry
}
