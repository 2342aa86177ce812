import { describe, expect, it } from 'vitest'
import { identity, policyWithout, RAW, reserved, startServer, utf8AsLatin1 } from './server.ts'

const UUID = '0b4d2a3c-7c2f-4a53-9d2b-1f1c5a8e9f10'

describe('POST /v1/images, in order (Images v1 §7.1)', () => {
  it('refuses a bad header before it refuses a reader', async () => {
    const server = await startServer({ settings: { allowAnonymousWrites: false } })
    const bad = await server.call('POST', '/v1/images', { 'x-image-meta-bogus': 'x' })
    expect([bad.status, bad.text]).toEqual([400, expect.stringContaining('Bad header: x-image-meta-bogus')])
    const good = await server.call('POST', '/v1/images', {})
    expect([good.status, good.text]).toEqual([403, expect.stringContaining('Read-only access')])
  })

  it.each([
    ['add_image', {}, undefined],
    ['publicize_image', { 'x-image-meta-is_public': 'yes' }, undefined],
    ['copy_from', { 'x-glance-api-copy-from': 'http://images.example/x' }, undefined],
    ['upload_image', RAW, 'data'],
    ['upload_image', { 'x-glance-api-copy-from': 'http://images.example/x' }, undefined],
    ['set_image_location', { 'x-image-meta-location': '' }, undefined],
  ] as const)('asks the rule %s', async (rule, headers, body) => {
    const server = await startServer({ ports: { policy: policyWithout(rule) } })
    const answer = await server.call('POST', '/v1/images', headers, body)
    expect([answer.status, answer.text]).toEqual([403, '403 Forbidden\n\nAccess was denied to this resource.\n\n   '])
    expect(server.notices).toEqual([])
  })

  it('asks no rule about what is not in the request', async () => {
    const refused = policyWithout('publicize_image', 'copy_from', 'upload_image', 'set_image_location')
    const server = await startServer({ ports: { policy: refused } })
    expect((await server.call('POST', '/v1/images', { 'x-image-meta-is_public': 'no' })).status).toBe(201)
  })

  it('refuses who may own nothing before it asks a rule, unless it is an administrator', async () => {
    const server = await startServer({ settings: { auth: 'trusted' }, ports: { policy: policyWithout('add_image') } })
    const { 'x-project-id': _, ...unscoped } = identity('t1', 'member')
    for (const who of [unscoped, { ...unscoped, 'x-project-id': '' }]) {
      const answer = await server.call('POST', '/v1/images', who)
      expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('No authenticated owner')])
    }
    const open = await startServer({ settings: { auth: 'trusted' } })
    const admin = { ...unscoped, 'x-roles': 'admin' }
    expect((await open.call('POST', '/v1/images', admin)).json.image.owner).toBeNull()
    const byUser = await startServer({ settings: { auth: 'trusted', ownerIsTenant: false } })
    expect((await byUser.call('POST', '/v1/images', unscoped)).json.image.owner).toBe('user-of-t1')
  })

  it('refuses properties of more octets together than the limit with 413', async () => {
    const server = await startServer({ settings: { propertiesSize: 6 } })
    const create = (value: string) =>
      server.call('POST', '/v1/images', { 'x-image-meta-property-a': value, 'x-image-meta-property-b': '' })
    expect((await create(utf8AsLatin1('12ü'))).status).toBe(201)
    const answer = await create(utf8AsLatin1('123ü'))
    const text = 'The limit has been exceeded on the size of all image properties together. Attempted: 7, Maximum: 6'
    expect([answer.status, answer.text]).toEqual([413, expect.stringContaining(text)])
    const unlimited = await startServer({ settings: { propertiesSize: -1 } })
    const headers = { 'x-image-meta-property-a': 'x'.repeat(12_000) }
    expect((await unlimited.call('POST', '/v1/images', headers)).status).toBe(201)
  })

  it('refuses more properties than the quota with 413', async () => {
    const server = await startServer({ settings: { propertyQuota: 1 } })
    const one = { 'x-image-meta-property-a': '1' }
    expect((await server.call('POST', '/v1/images', one)).status).toBe(201)
    const two = await server.call('POST', '/v1/images', { ...one, 'x-image-meta-property-b': '1' })
    const text = 'The limit has been exceeded on the number of allowed image properties. Attempted: 2, Maximum: 1'
    expect([two.status, two.text]).toEqual([413, expect.stringContaining(text)])
  })

  it('refuses a store that is none', async () => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', { 'x-image-meta-store': 'tape' })
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('Required store tape is invalid')])
    expect(server.notices).toEqual([])
  })

  it.each([
    [
      { 'x-image-meta-location': 'http://images.example/x', 'x-glance-api-copy-from': 'http://images.example/y' },
      undefined,
    ],
    [{ ...RAW, 'x-image-meta-location': 'http://images.example/x' }, 'data'],
    [{ ...RAW, 'x-glance-api-copy-from': 'http://images.example/y' }, 'data'],
  ])('refuses more than one source before anything is reserved: %j', async (headers, body) => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', headers, body)
    const text = "It's invalid to provide multiple image sources."
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(text)])
    expect(server.notices).toEqual([])
  })

  it.each(['not-a-uuid', `{${UUID}}`, `urn:uuid:${UUID}`, '', `${UUID}0`])('refuses the id %j', async (id) => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', { 'x-image-meta-id': id })
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('Invalid image id format')])
  })

  it.each([UUID, UUID.toUpperCase(), UUID.replaceAll('-', '')])('keeps the id %s as written', async (id) => {
    const server = await startServer()
    expect(await reserved(server, { 'x-image-meta-id': id })).toBe(id)
  })

  it('refuses an id that is taken, also by a deleted image', async () => {
    const server = await startServer()
    await reserved(server, { 'x-image-meta-id': UUID })
    const text = `An image with identifier ${UUID} already exists`
    const twice = await server.call('POST', '/v1/images', { 'x-image-meta-id': UUID })
    expect([twice.status, twice.text]).toEqual([409, expect.stringContaining(text)])
    await server.call('DELETE', `/v1/images/${UUID}`)
    const again = await server.call('POST', '/v1/images', { 'x-image-meta-id': UUID })
    expect([again.status, again.text]).toEqual([409, expect.stringContaining(text)])
  })

  it.each([
    ['Disk format is not specified.', { 'x-image-meta-container_format': 'bare' }],
    ['Container format is not specified.', { 'x-image-meta-disk_format': 'raw' }],
  ])('leaves the image queued when data comes and: %s', async (text, formats) => {
    const server = await startServer()
    const headers = { 'content-type': 'application/octet-stream', 'x-image-meta-id': UUID, ...formats }
    const answer = await server.call('POST', '/v1/images', headers, 'data')
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(text)])
    expect(await server.image(UUID)).toMatchObject({ status: 'queued' })
  })

  it('fills in the other format of an Amazon image', async () => {
    const server = await startServer()
    const headers = { 'content-type': 'application/octet-stream', 'x-image-meta-disk_format': 'ami' }
    const { json } = await server.call('POST', '/v1/images', headers, 'data')
    expect(json.image).toMatchObject({ status: 'active', disk_format: 'ami', container_format: 'ami' })
  })

  it.each([undefined, 'text/plain', 'bogus', 'application/json'])(
    'kills the image when the type of the data is %s',
    async (type) => {
      const server = await startServer()
      const headers = { ...RAW, 'content-type': type, 'x-image-meta-id': UUID }
      const answer = await server.call('POST', '/v1/images', headers, 'data')
      expect([answer.status, answer.text]).toEqual([
        400,
        expect.stringContaining('Content-Type must be application/octet-stream'),
      ])
      expect(await server.image(UUID)).toMatchObject({ status: 'killed' })
      expect(server.notices.map(({ event }) => event)).toEqual(['create'])
    },
  )
})
