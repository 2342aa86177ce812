import { describe, expect, it } from 'vitest'
import { startRemote } from './remote.ts'
import { identity, md5, policyWithout, reserved, startServer, uploaded } from './server.ts'

describe('HEAD /v1/images/{id} (Images v1 §11)', () => {
  it('answers the record as headers, without a body', async () => {
    const server = await startServer()
    const id = await uploaded(server, 'data', { 'x-image-meta-name': 'n', 'x-image-meta-property-z-z': 'q' })
    const answer = await server.call('HEAD', `/v1/images/${id}`)
    expect([answer.status, answer.text]).toEqual([200, ''])
    expect(answer.headers).toMatchObject({
      'x-image-meta-id': id,
      'x-image-meta-name': 'n',
      'x-image-meta-status': 'active',
      'x-image-meta-size': '4',
      'x-image-meta-checksum': md5('data'),
      'x-image-meta-disk_format': 'raw',
      'x-image-meta-container_format': 'bare',
      'x-image-meta-is_public': 'False',
      'x-image-meta-protected': 'False',
      'x-image-meta-deleted': 'False',
      'x-image-meta-min_disk': '0',
      'x-image-meta-min_ram': '0',
      'x-image-meta-created_at': expect.stringMatching(/\.\d{6}$/),
      'x-image-meta-updated_at': expect.stringMatching(/\.\d{6}$/),
      'x-image-meta-property-z_z': 'q',
      etag: md5('data'),
    })
    const absent = [
      'x-image-meta-owner',
      'x-image-meta-virtual_size',
      'x-image-meta-deleted_at',
      'location',
      'content-md5',
    ]
    for (const name of absent) expect(answer.headers).not.toHaveProperty([name])
  })

  it('answers 404 without a body for what is not there', async () => {
    const server = await startServer()
    const answer = await server.call('HEAD', '/v1/images/nope')
    expect([answer.status, answer.text]).toEqual([404, ''])
  })

  it('shows a deleted image to admins only', async () => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    const id = await reserved(server, identity('t1'))
    await server.call('DELETE', `/v1/images/${id}`, identity('t1'))
    const answer = await server.call('HEAD', `/v1/images/${id}`, identity('t9', 'admin'))
    expect(answer.headers).toMatchObject({ 'x-image-meta-deleted': 'True', 'x-image-meta-status': 'deleted' })
    expect((await server.call('HEAD', `/v1/images/${id}`, identity('t1'))).status).toBe(404)
  })

  it('hides a private image from strangers, and shows it to members whatever their answer was', async () => {
    const server = await startServer({ settings: { auth: 'trusted' } })
    const id = await reserved(server, identity('t1'))
    expect((await server.call('HEAD', `/v1/images/${id}`, identity('t2'))).status).toBe(404)
    await server.ports.members.put(id, { member: 't2', canShare: false })
    expect((await server.call('HEAD', `/v1/images/${id}`, identity('t2'))).status).toBe(200)
  })
})

describe('GET /v1/images/{id}', () => {
  it('answers the data as octets, with the record as headers', async () => {
    const server = await startServer()
    const data = 'x'.repeat(300_000)
    const id = await uploaded(server, data)
    const answer = await server.call('GET', `/v1/images/${id}`)
    expect(answer.status).toBe(200)
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '300000',
      'x-image-meta-size': '300000',
      'x-openstack-request-id': expect.stringMatching(/^req-/),
      etag: md5(data),
    })
    expect(answer.text).toBe(data)
  })

  it('ignores ranges and conditions', async () => {
    const server = await startServer()
    const id = await uploaded(server, 'hello')
    const headers = { range: 'bytes=1-2', 'if-none-match': md5('hello'), 'if-modified-since': new Date().toUTCString() }
    const answer = await server.call('GET', `/v1/images/${id}`, headers)
    expect([answer.status, answer.text]).toEqual([200, 'hello'])
  })

  it('ignores a body', async () => {
    const server = await startServer()
    const id = await uploaded(server, 'hello')
    const answer = await server.call('GET', `/v1/images/${id}`, { 'content-type': 'application/json' }, '{broken')
    expect([answer.status, answer.text]).toEqual([200, 'hello'])
  })

  it('answers an empty body for an empty image', async () => {
    const server = await startServer()
    const id = await reserved(server, { 'x-image-meta-size': '0' })
    const answer = await server.call('GET', `/v1/images/${id}`)
    expect([answer.status, answer.headers['content-length'], answer.text]).toEqual([200, '0', ''])
  })

  it('asks the store of a location that was registered without a size', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const headers = { 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare' }
    const id = await reserved(server, { ...headers, 'x-image-meta-location': `${remote.url}/chunked` })
    const answer = await server.call('GET', `/v1/images/${id}`)
    expect([answer.status, answer.headers['transfer-encoding']]).toEqual([200, 'chunked'])
    expect(answer.text).toContain('hello world')
    expect(answer.octets).not.toContain(remote.url)
  })

  it('answers 404 for what is not active and 403 for what is deactivated', async () => {
    const server = await startServer()
    const queued = await reserved(server)
    const answer = await server.call('GET', `/v1/images/${queued}`)
    expect([answer.status, answer.text]).toEqual([404, expect.stringContaining(`Image ${queued} is not active`)])
    const id = await uploaded(server, 'data')
    await server.ports.images.update(id, { status: 'deactivated' })
    const refused = await server.call('GET', `/v1/images/${id}`)
    expect([refused.status, refused.text]).toEqual([403, expect.stringContaining(`Image ${id} is deactivated`)])
  })

  it('answers 404 without a location when the store lost the data', async () => {
    const server = await startServer()
    const id = await uploaded(server, 'data')
    await server.ports.stores.delete(`memory://${id}`)
    const answer = await server.call('GET', `/v1/images/${id}`)
    expect([answer.status, answer.text]).toEqual([404, expect.stringContaining(`Image ${id} not found`)])
    expect(answer.octets).not.toContain('memory://')
  })

  it('asks download_image before it says that an image is not there, or not active', async () => {
    const server = await startServer({ ports: { policy: policyWithout('download_image') } })
    const queued = await reserved(server)
    for (const id of ['nope', queued]) expect((await server.call('GET', `/v1/images/${id}`)).status).toBe(403)
    expect((await server.call('HEAD', `/v1/images/${queued}`)).status).toBe(200)
  })

  it('asks download_image about the image', async () => {
    const asked: unknown[] = []
    const policy = {
      enforce: async (action: string, _actor: unknown, image?: { readonly id: string }) => {
        if (action === 'download_image') asked.push(image?.id, image && 'locations' in image)
      },
    }
    const server = await startServer({ ports: { policy } })
    const id = await uploaded(server, 'data')
    await server.call('GET', `/v1/images/${id}`)
    expect(asked).toEqual([id, false])
  })

  it.each(['HEAD', 'GET'])('asks get_image (%s)', async (method) => {
    const server = await startServer({ ports: { policy: policyWithout('get_image') } })
    expect((await server.call(method, '/v1/images/nope')).status).toBe(403)
  })
})
