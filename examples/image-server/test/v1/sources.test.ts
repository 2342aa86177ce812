import { runTask } from 'mullion/images'
import { describe, expect, it } from 'vitest'
import { deadUrl, startRemote } from './remote.ts'
import { md5, RAW, startServer, type TestServer } from './server.ts'

const ID = '0b4d2a3c-7c2f-4a53-9d2b-1f1c5a8e9f10'
const FORMATS = { 'x-image-meta-disk_format': RAW['x-image-meta-disk_format'], 'x-image-meta-container_format': 'bare' }

/** Does the copies that wait, as a worker would. */
async function work({ ports }: TestServer): Promise<void> {
  const next = () => ports.tasks.claim('test', 'copy')
  for (let claim = await next(); claim; claim = await next()) await runTask(ports, claim)
}

describe('POST /v1/images with x-image-meta-location (Images v1 §7, scenario 3)', () => {
  it('activates the image at once and leaves the data where it is', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const answer = await server.call('POST', '/v1/images', {
      ...FORMATS,
      'x-image-meta-location': `${remote.url}/data`,
    })
    expect(answer.status, answer.octets).toBe(201)
    expect(answer.json.image).toMatchObject({ status: 'active', size: 11, checksum: null })
    expect(answer.octets).not.toContain(remote.url)
    expect(server.notices.map(({ event }) => event)).toEqual(['create', 'activate', 'update'])
    expect((await server.call('GET', `/v1/images/${answer.json.image.id}`)).text).toBe('hello world')
    expect(remote.requests).not.toContain('POST /data')
  })

  it('accepts a scheme in upper case', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const location = `${remote.url}/data`.replace('http:', 'HTTP:')
    expect((await server.call('POST', '/v1/images', { ...FORMATS, 'x-image-meta-location': location })).status).toBe(
      201,
    )
  })

  it('keeps the checksum the client sends', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const headers = { ...FORMATS, 'x-image-meta-location': `${remote.url}/data`, 'x-image-meta-checksum': 'unchecked' }
    expect((await server.call('POST', '/v1/images', headers)).json.image.checksum).toBe('unchecked')
  })

  it('leaves the image queued, with no data, when a format is missing', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const headers = { 'x-image-meta-id': ID, 'x-image-meta-location': `${remote.url}/data` }
    const answer = await server.call('POST', '/v1/images', headers)
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('Disk format is not specified.')])
    expect(await server.image(ID)).toMatchObject({ status: 'queued', locations: [] })
  })

  it('answers 409 when the size is not that of the stored image', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const headers = { ...FORMATS, 'x-image-meta-location': `${remote.url}/data`, 'x-image-meta-size': '5' }
    const answer = await server.call('POST', '/v1/images', headers)
    const text = 'Provided image size must match the stored image size. (provided size: 5, stored size: 11)'
    expect([answer.status, answer.text]).toEqual([409, expect.stringContaining(text)])
  })

  it('takes the size from the client when the store does not say', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const headers = { ...FORMATS, 'x-image-meta-location': `${remote.url}/chunked`, 'x-image-meta-size': '11' }
    expect((await server.call('POST', '/v1/images', headers)).json.image).toMatchObject({ status: 'active', size: 11 })
  })

  it('answers 404, not 500, when the sized image is not there', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const headers = { ...FORMATS, 'x-image-meta-location': `${remote.url}/none`, 'x-image-meta-size': '11' }
    expect((await server.call('POST', '/v1/images', headers)).status).toBe(404)
  })
})

describe('POST /v1/images with x-glance-api-copy-from (scenario 2)', () => {
  it('answers a queued image, and the data comes later', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const answer = await server.call('POST', '/v1/images', {
      ...FORMATS,
      'x-glance-api-copy-from': `${remote.url}/data`,
    })
    expect(answer.status, answer.octets).toBe(201)
    expect(answer.json.image).toMatchObject({ status: 'queued', size: 11 })
    await work(server)
    const { id } = answer.json.image
    expect((await server.call('HEAD', `/v1/images/${id}`)).headers).toMatchObject({
      'x-image-meta-status': 'active',
      'x-image-meta-checksum': md5('hello world'),
    })
    expect((await server.call('GET', `/v1/images/${id}`)).text).toBe('hello world')
  })

  it('needs no formats', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const answer = await server.call('POST', '/v1/images', { 'x-glance-api-copy-from': `${remote.url}/data` })
    await work(server)
    expect((await server.image(answer.json.image.id)).status).toBe('active')
  })

  it('does not ask for the size when the client sends one; the copy then kills the image of a dead URL', async () => {
    const server = await startServer()
    const headers = { 'x-image-meta-id': ID, 'x-image-meta-size': '11', 'x-glance-api-copy-from': await deadUrl() }
    expect((await server.call('POST', '/v1/images', headers)).status).toBe(201)
    await work(server)
    expect(await server.image(ID)).toMatchObject({ status: 'killed' })
  })

  it('kills the image when the source breaks off', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const headers = { 'x-image-meta-id': ID, 'x-glance-api-copy-from': `${remote.url}/short` }
    expect((await server.call('POST', '/v1/images', headers)).status).toBe(201)
    await work(server)
    expect(await server.image(ID)).toMatchObject({ status: 'killed' })
  })
})

describe.each(['x-image-meta-location', 'x-glance-api-copy-from'])('%s (Images v1 §9)', (header) => {
  it.each([
    'file:///etc/passwd',
    'FILE:///etc/passwd',
    'filesystem:///etc/passwd',
    'swift+config://ref/container/object',
    'cinder://volume',
    'rbd://fsid/pool/image/snap',
    'sheepdog://volume',
    `memory://${ID}`,
    'gopher://host/x',
    'no scheme at all',
    'http',
  ])('refuses %s', async (uri) => {
    const server = await startServer()
    await server.ports.stores.add(ID, Buffer.from('a secret'))
    const answer = await server.call('POST', '/v1/images', { ...FORMATS, [header]: uri })
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('External sources are not supported: ')])
    expect(server.notices).toEqual([])
  })

  it('names the refused source, without the secret in it', async () => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', { [header]: 'ftp://me:secret@host/x' })
    expect(answer.text).toContain("External sources are not supported: 'ftp://***@host/x'")
    expect(answer.octets).not.toContain('secret')
  })

  it('refuses an empty value', async () => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', { [header]: '' })
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('External source should not be empty')])
  })

  it.each(['http://host:port/x', 'http://', 'http://onlyuser@host/x'])('refuses the malformed %s', async (uri) => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', { ...FORMATS, [header]: uri })
    expect([answer.status, answer.text]).toEqual([
      400,
      expect.stringContaining(`Invalid location ${uri.replace('onlyuser', '***')}`),
    ])
    expect(server.notices).toEqual([])
  })

  it('looks up the size first, and a missing image leaves nothing behind', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const answer = await server.call('POST', '/v1/images', { ...FORMATS, [header]: `${remote.url}/none` })
    const text = 'HTTP datastore could not find image at URI.'
    expect([answer.status, answer.text]).toEqual([404, expect.stringContaining(text)])
    expect(remote.requests).toEqual(['HEAD /none'])
    expect(server.notices).toEqual([])
  })

  it('passes on a refusal of the remote server', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const answer = await server.call('POST', '/v1/images', { ...FORMATS, [header]: `${remote.url}/403` })
    const text = `HTTP URL ${remote.url}/403 returned a 403 status code.`
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(text)])
  })

  it('answers 400 when nobody answers there', async () => {
    const [server, url] = [await startServer(), await deadUrl()]
    const answer = await server.call('POST', '/v1/images', { ...FORMATS, [header]: url })
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(`The HTTP URL is invalid: ${url}`)])
    expect(server.notices).toEqual([])
  })

  it('refuses addresses of the own network', async () => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', {
      ...FORMATS,
      [header]: 'http://169.254.169.254/latest/meta-data',
    })
    expect(answer.status).toBe(400)
    expect(server.notices).toEqual([])
  })
})
