import { beforeEach, describe, expect, it } from 'vitest'
import { startRemote } from './remote.ts'
import {
  identity,
  md5,
  policyWithout,
  RAW,
  reserved,
  startServer,
  type TestServer,
  uploaded,
  utf8AsLatin1,
} from './server.ts'

const FORMATS = { 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare' }

describe('PUT /v1/images/{id} by an administrator (Images v1 §10)', () => {
  let server: TestServer
  beforeEach(async () => {
    server = await startServer()
  })

  it('changes what is sent and leaves the rest', async () => {
    const id = await uploaded(server, 'data', { 'x-image-meta-name': 'old', 'x-image-meta-min_ram': '5' })
    const answer = await server.call('PUT', `/v1/images/${id}`, { 'x-image-meta-name': 'new' })
    expect(answer.status, answer.octets).toBe(200)
    expect(answer.json.image).toMatchObject({ id, name: 'new', min_ram: 5, status: 'active', size: 4 })
    expect(answer.headers).toMatchObject({ etag: md5('data'), 'content-type': 'application/json' })
    expect(server.notices.at(-1)?.event).toBe('update')
  })

  it('clears a name with an empty value', async () => {
    const id = await reserved(server, { 'x-image-meta-name': 'old' })
    expect((await server.call('PUT', `/v1/images/${id}`, { 'x-image-meta-name': '' })).json.image.name).toBeNull()
  })

  it('answers 404 for an image that is not there', async () => {
    const answer = await server.call('PUT', '/v1/images/nope', {})
    expect([answer.status, answer.text]).toEqual([404, expect.stringContaining('Image with identifier nope not found')])
  })

  it('refuses to change a deleted image', async () => {
    const id = await reserved(server)
    await server.call('DELETE', `/v1/images/${id}`)
    const answer = await server.call('PUT', `/v1/images/${id}`, { 'x-image-meta-name': 'new' })
    expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('Forbidden to update deleted image.')])
  })

  it.each([
    ['status', 'queued'],
    ['id', '0b4d2a3c-7c2f-4a53-9d2b-1f1c5a8e9f10'],
  ])('refuses another %s', async (field, value) => {
    const id = await uploaded(server, 'data')
    const answer = await server.call('PUT', `/v1/images/${id}`, { [`x-image-meta-${field}`]: value })
    expect([answer.status, answer.text]).toEqual([
      403,
      expect.stringContaining(`Forbidden to modify '${field}' of image.`),
    ])
    expect((await server.image(id)).status).toBe('active')
  })

  it('accepts the same status and id', async () => {
    const id = await uploaded(server, 'data')
    const headers = { 'x-image-meta-status': 'active', 'x-image-meta-id': id }
    expect((await server.call('PUT', `/v1/images/${id}`, headers)).status).toBe(200)
  })

  it('validates times and ignores them', async () => {
    const id = await reserved(server)
    const bad = await server.call('PUT', `/v1/images/${id}`, { 'x-image-meta-created_at': 'yesterday' })
    expect([bad.status, bad.text]).toEqual([400, expect.stringContaining('Invalid time format for created_at.')])
    const good = await server.call('PUT', `/v1/images/${id}`, { 'x-image-meta-created_at': '1999-01-01' })
    expect(good.json.image.created_at).not.toMatch(/^1999/)
  })

  it('moves an image between public and private', async () => {
    const id = await reserved(server)
    const set = (value: string): ReturnType<typeof server.call> =>
      server.call('PUT', `/v1/images/${id}`, { 'x-image-meta-is_public': value })
    expect((await set('True')).json.image.is_public).toBe(true)
    expect((await set('False')).json.image.is_public).toBe(false)
  })

  it.each([
    [{}, { b: '2' }],
    [{ 'x-glance-registry-purge-props': 'true' }, { b: '2' }],
    [{ 'x-glance-registry-purge-props': 'false' }, { a: '1', b: '2' }],
    [{ 'x-glance-registry-purge-props': '0' }, { a: '1', b: '2' }],
    [{ 'x-glance-registry-purge-props': 'junk' }, { a: '1', b: '2' }],
  ])('purges properties that are not named, as %j says', async (purge, properties) => {
    const id = await reserved(server, { 'x-image-meta-property-a': '1' })
    const answer = await server.call('PUT', `/v1/images/${id}`, { 'x-image-meta-property-b': '2', ...purge })
    expect(answer.json.image.properties).toEqual(properties)
  })

  it('never purges when data comes', async () => {
    const id = await reserved(server, { 'x-image-meta-property-a': '1' })
    const answer = await server.call(
      'PUT',
      `/v1/images/${id}`,
      { ...RAW, 'x-glance-registry-purge-props': 'true' },
      'data',
    )
    expect(answer.json.image).toMatchObject({ status: 'active', properties: { a: '1' } })
  })

  it('sets a purged property again', async () => {
    const id = await reserved(server, { 'x-image-meta-property-a': '1' })
    await server.call('PUT', `/v1/images/${id}`, {})
    const answer = await server.call('PUT', `/v1/images/${id}`, { 'x-image-meta-property-a': '2' })
    expect(answer.json.image.properties).toEqual({ a: '2' })
  })

  it('stores data in a queued image and notifies in order', async () => {
    const id = await reserved(server)
    const answer = await server.call('PUT', `/v1/images/${id}`, RAW, 'hello')
    expect(answer.json.image).toMatchObject({ status: 'active', size: 5, checksum: md5('hello') })
    expect(server.notices.map(({ event }) => event)).toEqual([
      'create',
      'prepare',
      'upload',
      'activate',
      'update',
      'update',
    ])
    expect((await server.call('GET', `/v1/images/${id}`)).text).toBe('hello')
  })

  it('compares the data with a checksum that was set before', async () => {
    const id = await reserved(server, { 'x-image-meta-checksum': '0'.repeat(32) })
    expect((await server.call('PUT', `/v1/images/${id}`, RAW, 'hello')).status).toBe(400)
    expect((await server.image(id)).status).toBe('killed')
  })

  it('refuses data for an image that is not queued', async () => {
    const id = await uploaded(server, 'first')
    const answer = await server.call('PUT', `/v1/images/${id}`, RAW, 'second')
    expect([answer.status, answer.text]).toEqual([409, expect.stringContaining('Cannot upload to an unqueued image')])
    expect((await server.call('GET', `/v1/images/${id}`)).text).toBe('first')
  })

  it('lets exactly one of two simultaneous uploads win', async () => {
    const id = await reserved(server)
    const put = (data: string): ReturnType<typeof server.call> => server.call('PUT', `/v1/images/${id}`, RAW, data)
    const answers = await Promise.all([put('a'.repeat(1000)), put('b'.repeat(1000))])
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 409]))
    const winner = answers[0].status === 200 ? 'a' : 'b'
    expect((await server.call('GET', `/v1/images/${id}`)).text).toBe(winner.repeat(1000))
  })

  it('kills the image when the type of the data is wrong', async () => {
    const id = await reserved(server, FORMATS)
    expect((await server.call('PUT', `/v1/images/${id}`, { 'content-type': 'text/plain' }, 'hello')).status).toBe(400)
    expect((await server.image(id)).status).toBe('killed')
  })

  it('refuses an unknown store for data only', async () => {
    const id = await reserved(server, FORMATS)
    const store = { 'x-image-meta-store': 'tape' }
    expect((await server.call('PUT', `/v1/images/${id}`, store)).status).toBe(200)
    const answer = await server.call('PUT', `/v1/images/${id}`, { ...RAW, ...store }, 'data')
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('Store for scheme tape not found')])
    expect((await server.image(id)).status).toBe('queued')
  })

  it('registers a location in a queued image only', async () => {
    const remote = await startRemote()
    const location = { 'x-image-meta-location': `${remote.url}/data` }
    const id = await reserved(server, FORMATS)
    const answer = await server.call('PUT', `/v1/images/${id}`, location)
    expect(answer.json.image).toMatchObject({ status: 'active', size: 11 })
    const again = await server.call('PUT', `/v1/images/${id}`, location)
    const text = 'Attempted to update Location field for an image not in queued status.'
    expect([again.status, again.text]).toEqual([400, expect.stringContaining(text)])
  })

  it('refuses more than one source, and a location that is none, before anything changes', async () => {
    const id = await reserved(server, FORMATS)
    const two = { ...RAW, 'x-image-meta-location': 'http://images.example/x', 'x-image-meta-name': 'new' }
    const answer = await server.call('PUT', `/v1/images/${id}`, two, 'data')
    expect([answer.status, answer.text]).toEqual([
      400,
      expect.stringContaining("It's invalid to provide multiple image sources."),
    ])
    const none = await server.call('PUT', `/v1/images/${id}`, {
      ...FORMATS,
      'x-image-meta-location': 'http://host:port/x',
    })
    expect([none.status, none.text]).toEqual([400, expect.stringContaining('Invalid location: http://host:port/x')])
    expect(await server.image(id)).toMatchObject({ status: 'queued', name: undefined })
  })

  it('answers a queued image when a copy is asked for', async () => {
    const remote = await startRemote()
    const id = await reserved(server, FORMATS)
    const answer = await server.call('PUT', `/v1/images/${id}`, { 'x-glance-api-copy-from': `${remote.url}/data` })
    expect([answer.status, answer.json.image.status]).toEqual([200, 'queued'])
    expect((await server.ports.tasks.claim('test', 'copy'))?.task.imageId).toBe(id)
  })
})

describe('PUT /v1/images/{id} by others', () => {
  const settings = { auth: 'trusted', allowAnonymousAccess: true } as const

  it('counts new properties, and existing ones unless they are purged, against the quota', async () => {
    const server = await startServer({ settings: { propertyQuota: 1 } })
    const id = await reserved(server, { 'x-image-meta-property-a': '1' })
    const keep = { 'x-glance-registry-purge-props': 'false', 'x-image-meta-property-b': '1' }
    const answer = await server.call('PUT', `/v1/images/${id}`, keep)
    expect([answer.status, answer.text]).toEqual([413, expect.stringContaining('Attempted: 2, Maximum: 1')])
    expect((await server.call('PUT', `/v1/images/${id}`, { 'x-image-meta-property-b': '1' })).status).toBe(200)
  })

  it('counts octets of new properties, and of existing ones unless they are purged, against the limit of their size', async () => {
    const server = await startServer({ settings: { propertiesSize: 6 } })
    const id = await reserved(server, { 'x-image-meta-property-a': '12' })
    const put = (value: string, purge: string): ReturnType<typeof server.call> => {
      const headers = { 'x-glance-registry-purge-props': purge, 'x-image-meta-property-b': value }
      return server.call('PUT', `/v1/images/${id}`, headers)
    }
    const refused = await put(utf8AsLatin1('1ü'), 'false')
    expect([refused.status, refused.text]).toEqual([413, expect.stringContaining('Attempted: 7, Maximum: 6')])
    expect((await server.image(id)).properties).toEqual(new Map([['a', '12']]))
    expect((await put('12', 'false')).status).toBe(200)
    expect((await put('12345', 'true')).status).toBe(200)
    expect((await put('123456', 'true')).status).toBe(413)
  })

  it('asks the rule modify_image', async () => {
    const server = await startServer({ ports: { policy: policyWithout('modify_image') } })
    const id = await reserved(server)
    expect((await server.call('PUT', `/v1/images/${id}`, {})).status).toBe(403)
  })

  it('refuses readers', async () => {
    const server = await startServer({ settings })
    const id = await reserved(server, identity('t1'))
    const answer = await server.call('PUT', `/v1/images/${id}`, {})
    expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('Read-only access')])
  })

  it.each(['size', 'checksum'])('refuses another %s of an active image to its owner', async (field) => {
    const server = await startServer({ settings })
    const id = await uploaded(server, 'data', identity('t1'))
    const same = { size: '4', checksum: md5('data') }[field] ?? ''
    const put = (value: string): ReturnType<typeof server.call> =>
      server.call('PUT', `/v1/images/${id}`, { ...identity('t1'), [`x-image-meta-${field}`]: value })
    expect((await put(same)).status).toBe(200)
    const answer = await put('7')
    const text = `Forbidden to modify '${field}' of active image.`
    expect([answer.status, answer.text]).toEqual([403, expect.stringContaining(text)])
  })

  it('drops an owner that somebody else than an admin sends', async () => {
    const server = await startServer({ settings })
    const id = await reserved(server, identity('t1'))
    const headers = { ...identity('t1'), 'x-image-meta-owner': 't2' }
    expect((await server.call('PUT', `/v1/images/${id}`, headers)).json.image.owner).toBe('t1')
    const admin = { ...identity('t1', 'admin'), 'x-image-meta-owner': '' }
    expect((await server.call('PUT', `/v1/images/${id}`, admin)).json.image.owner).toBeNull()
  })

  it('refuses a stranger: 403 for a public image, 404 for one that is shared, or that nobody owns', async () => {
    const server = await startServer({ settings })
    const open = await reserved(server, { ...identity('t1'), 'x-image-meta-is_public': '1' })
    const shared = await reserved(server, identity('t1'))
    const ownerless = await reserved(server, { ...identity('t1', 'admin'), 'x-image-meta-owner': '' })
    await server.ports.members.put(shared, { member: 't2', canShare: true })
    const answers = [open, shared, ownerless].map((id) => server.call('PUT', `/v1/images/${id}`, identity('t2')))
    const [first, second, third] = await Promise.all(answers)
    expect([first?.status, first?.text]).toEqual([403, expect.stringContaining('Forbidden to update image: ')])
    expect([second?.status, second?.text]).toEqual([
      404,
      expect.stringContaining(`Failed to find image to update: ${shared}`),
    ])
    expect([third?.status, third?.text]).toEqual([
      404,
      expect.stringContaining(`Failed to find image to update: ${ownerless}`),
    ])
  })
})
