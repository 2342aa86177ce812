import { describe, expect, it } from 'vitest'
import { chunked, identity, md5, RAW, startServer, utf8AsLatin1 } from './server.ts'

describe('POST /v1/images with data (Images v1 §7, scenario 1)', () => {
  it('stores it and answers 201 with the active image, its address and its checksum', async () => {
    const server = await startServer()
    const headers = { ...RAW, 'x-image-meta-name': 'full', 'x-image-meta-property-Foo-Bar': 'baz' }
    const answer = await server.call('POST', '/v1/images', headers, 'hello world')
    expect(answer.status, answer.octets).toBe(201)
    const { image } = answer.json
    expect(image).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'full',
      status: 'active',
      size: 11,
      checksum: md5('hello world'),
      disk_format: 'raw',
      container_format: 'bare',
      min_ram: 0,
      min_disk: 0,
      virtual_size: null,
      is_public: false,
      protected: false,
      owner: null,
      deleted: false,
      deleted_at: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
      updated_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
      properties: { foo_bar: 'baz' },
    })
    expect(answer.headers['location']).toBe(`http://images.test/v1/images/${image.id}`)
    expect(answer.headers['etag']).toBe(md5('hello world'))
    expect(answer.headers['content-type']).toBe('application/json')
    expect((await server.call('GET', `/v1/images/${image.id}`)).text).toBe('hello world')
  })

  it('notifies create, prepare, upload, activate and update', async () => {
    const server = await startServer()
    await server.call('POST', '/v1/images', RAW, 'hello')
    expect(server.notices.map(({ event }) => event)).toEqual(['create', 'prepare', 'upload', 'activate', 'update'])
  })

  it('stores a chunked body', async () => {
    const server = await startServer()
    const answer = await server.call(
      'POST',
      '/v1/images',
      { ...RAW, 'transfer-encoding': 'chunked' },
      chunked('he', 'llo'),
    )
    expect(answer.json.image).toMatchObject({ status: 'active', size: 5, checksum: md5('hello') })
  })

  it('takes an empty chunked body for data', async () => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', { ...RAW, 'transfer-encoding': 'chunked' }, chunked())
    expect(answer.json.image).toMatchObject({ status: 'active', size: 0, checksum: 'd41d8cd98f00b204e9800998ecf8427e' })
  })

  it('accepts parameters of the media type', async () => {
    const server = await startServer()
    const headers = { ...RAW, 'content-type': 'application/octet-stream; charset=binary' }
    expect((await server.call('POST', '/v1/images', headers, 'x')).status).toBe(201)
  })

  it('keeps names and values that are UTF-8, in JSON and in headers', async () => {
    const server = await startServer()
    const name = utf8AsLatin1('Größe 镜像 🚀')
    const { json } = await server.call('POST', '/v1/images', { ...RAW, 'x-image-meta-name': name }, 'x')
    expect(json.image.name).toBe('Größe 镜像 🚀')
    const head = await server.call('HEAD', `/v1/images/${json.image.id}`)
    const get = await server.call('GET', `/v1/images/${json.image.id}`)
    expect(head.headers['x-image-meta-name']).toBe(name)
    expect(get.headers['x-image-meta-name']).toBe(name)
  })

  it('keeps a property named __proto__', async () => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', { 'x-image-meta-property-__proto__': 'x' })
    expect(answer.text).toContain('"properties":{"__proto__":"x"}')
  })

  it('joins headers of one name with a comma, in order of arrival', async () => {
    const server = await startServer()
    const { json } = await server.call('POST', '/v1/images', [
      ['x-image-meta-property-a-b', '1'],
      ['X-Image-Meta-Property-A_b', '2'],
      ['x-image-meta-property-a-b', '3'],
    ])
    expect(json.image.properties).toEqual({ a_b: '1,2,3' })
  })

  it('keeps an empty property as null and leaves it out of headers', async () => {
    const server = await startServer()
    const { json } = await server.call('POST', '/v1/images', { 'x-image-meta-property-void': '' })
    expect(json.image.properties).toEqual({ void: null })
    const head = await server.call('HEAD', `/v1/images/${json.image.id}`)
    expect(Object.keys(head.headers)).not.toContain('x-image-meta-property-void')
  })
})

describe('POST /v1/images without data (scenario 4)', () => {
  it('reserves a queued image', async () => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', { 'x-image-meta-name': 'later', 'x-image-meta-size': '7' })
    expect(answer.status).toBe(201)
    expect(answer.json.image).toMatchObject({ name: 'later', status: 'queued', size: 7, checksum: null })
    expect(answer.headers['etag']).toBeUndefined()
  })

  it('activates an image of size 0 at once', async () => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', { 'x-image-meta-size': '0' })
    expect(answer.json.image).toMatchObject({ status: 'active', size: 0 })
  })

  it('treats Content-Length: 0 as no data', async () => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', RAW, '')
    expect(answer.json.image).toMatchObject({ status: 'queued', size: 0, checksum: null })
  })

  it('overwrites a status, and ignores deleted and times, that the client sends', async () => {
    const server = await startServer()
    const { json } = await server.call('POST', '/v1/images', {
      'x-image-meta-status': 'active',
      'x-image-meta-deleted': 'true',
      'x-image-meta-created_at': '1999-01-01T00:00:00',
    })
    expect(json.image).toMatchObject({ status: 'queued', deleted: false, deleted_at: null })
    expect(json.image.created_at).not.toMatch(/^1999/)
  })
})

describe('the owner of a new image', () => {
  const settings = { auth: 'trusted' } as const

  it('is the tenant, whatever a user who is no admin sends', async () => {
    const server = await startServer({ settings })
    const { json } = await server.call('POST', '/v1/images', { ...identity('t1'), 'x-image-meta-owner': 't2' })
    expect(json.image.owner).toBe('t1')
  })

  it('is the user when owners are users', async () => {
    const server = await startServer({ settings: { ...settings, ownerIsTenant: false } })
    expect((await server.call('POST', '/v1/images', identity('t1'))).json.image.owner).toBe('user-of-t1')
  })

  it('is chosen by an admin, and may be nobody', async () => {
    const server = await startServer({ settings })
    const admin = identity('t1', 'ADMIN')
    const owners = ['t2', ''].map((owner) =>
      server.call('POST', '/v1/images', { ...admin, 'x-image-meta-owner': owner }),
    )
    expect((await Promise.all(owners)).map(({ json }) => json.image.owner)).toEqual(['t2', null])
  })
})
