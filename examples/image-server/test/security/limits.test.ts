import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { storageQuota } from '../../src/config/sections/limits.ts'
import { registered } from '../registry/client.ts'
import { chunked, identity, RAW, readAnswer, request, reserved, startServer, uploaded } from '../v1/server.ts'
import { FORMATS, LOCATION, serving, startOrigin } from './scene.ts'

const owner = identity('t1', 'member')
const settings = { auth: 'trusted' } as const

const properties = (count: number, from = 0): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-image-meta-property-p${from + at}`, 'x']))

describe('S-20 (CVE-2016-8611, OSSN-0076): what one can fill the records with', () => {
  it('are so many properties of an image, also when they come one by one', async () => {
    const server = await startServer({ settings: { propertyQuota: 3 } })
    expect((await server.call('POST', '/v1/images', properties(4))).status).toBe(413)
    expect(server.notices).toEqual([])
    const id = await reserved(server, properties(3))
    const put = async (headers: object): Promise<number> =>
      (await server.call('PUT', `/v1/images/${id}`, { 'x-glance-registry-purge-props': 'false', ...headers })).status
    expect([await put(properties(1, 3)), await put(properties(3))]).toEqual([413, 200])
    expect((await server.image(id)).properties.size).toBe(3)
  })

  it('are so many members of an image', async () => {
    const server = await startServer({ settings: { ...settings, memberQuota: 2 } })
    const id = await uploaded(server, 'data', owner)
    const put = async (path: string, body?: string): Promise<number> =>
      (await server.call('PUT', `/v1/images/${id}/members${path}`, owner, body)).status
    expect([await put('/a'), await put('/b'), await put('/c')]).toEqual([204, 204, 413])
    const three = JSON.stringify({ memberships: ['a', 'b', 'c'].map((name) => ({ member_id: name })) })
    expect(await put('', three)).toBe(413)
    expect(await server.ports.members.list(id)).toHaveLength(2)
  })

  it('are so many bytes of an owner, and one location of an image', async () => {
    const origin = await startOrigin(serving('data'))
    const server = await startServer({ settings: { ...settings, storageQuota: storageQuota('10 B') } })
    const statuses: number[] = []
    for (let round = 0; round < 4; round += 1)
      statuses.push((await server.call('POST', '/v1/images', { ...owner, ...RAW }, 'data')).status)
    expect(statuses).toEqual([201, 201, 413, 413])
    expect(await server.ports.images.usage('t1')).toBe(8)
    const headers: [string, string][] = [
      ...Object.entries({ ...owner, ...FORMATS }),
      [LOCATION, origin.url],
      [LOCATION, `${origin.url}/2`],
    ]
    expect((await server.call('POST', '/v1/images', headers)).status).toBe(400)
  })
})

describe('S-75: the size of what describes an image', () => {
  it.each([
    ['one long property', { 'x-image-meta-property-x': 'x'.repeat(16_384) }, [400]],
    ['a long name of a property', { [`x-image-meta-property-${'x'.repeat(256)}`]: 'x' }, [400]],
    ['a long name', { 'x-image-meta-name': 'x'.repeat(256) }, [400]],
    ['a long owner', { 'x-image-meta-owner': 'x'.repeat(256) }, [400]],
    ['a long checksum', { 'x-image-meta-checksum': 'x'.repeat(33) }, [400]],
    ['a large number', { 'x-image-meta-min_disk': '2147483648' }, [400]],
    ['long properties together', longProperties(5), [400, 431]],
    ['many small properties', properties(3000), [413, 400, 431]],
  ])('is bounded: %s', async (_what, headers, statuses) => {
    const server = await startServer()
    const answer = await server.call('POST', '/v1/images', headers)
    expect(statuses).toContain(answer.status)
    expect(server.notices).toEqual([])
  })
})

function longProperties(count: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`x-image-meta-property-p${at}`, 'x'.repeat(16_000)]),
  )
}

describe('S-76: a filter that nobody knows, or that makes no sense', () => {
  const numbers = ['size_min', 'size_max', 'min_ram']
  const senseless = ['', 'x', '1e9', '0x10', '-1', '99999999999999999999', 'NaN', 'Infinity', '1;2', '%00', "1'--"]
  const unknown = [
    'nothing_min=1',
    'nothing_max=1',
    'owner_min=1',
    'created_at_min=x',
    'size=x',
    '=',
    '==',
    '%00=1',
    'id_max=',
  ]

  it.each(['/v1/images', '/v1/images/detail'])('never makes an internal error of %s', async (path) => {
    const server = await startServer()
    for (const name of numbers) {
      for (const value of senseless) {
        const { status } = await server.call('GET', `${path}?${name}=${value}`)
        expect(value === '1;2' ? [200, 400] : [400], `${name}=${value}`).toContain(status)
      }
    }
    for (const query of [...unknown, 'min_disk=x', 'min_disk=99999999999999999999'])
      expect((await server.call('GET', `${path}?${query}`)).status, query).toBe(200)
    for (const query of [
      'protected=x',
      'is_public=x',
      'limit=-1',
      'limit=x',
      'sort_key=x',
      'sort_dir=x',
      'marker=x',
      'changes-since=x',
      'name=%ff',
    ])
      expect((await server.call('GET', `${path}?${query}`)).status, query).toBe(400)
  })

  it('never makes one of the registry', async () => {
    const { call } = await registered()
    for (const name of [
      ...numbers,
      'min_disk',
      'limit',
      'protected',
      'changes-since',
      'sort_key',
      'marker',
      'is_public',
    ]) {
      for (const value of [...senseless, 'in:x', '[]']) {
        const { status } = await call('GET', `/images?${name}=${encodeURIComponent(value)}`)
        expect([200, 400], `${name}=${value}`).toContain(status)
      }
    }
    for (const query of unknown)
      expect([200, 400], query).toContain((await call('GET', `/images/detail?${query}`)).status)
  })
})

describe('§4.5: a request that is to exhaust the server', () => {
  const members = (id: string): string => `/v1/images/${id}/members`

  it.each([
    ['nested arrays', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['nested objects', `${'{"member":'.repeat(50_000)}1${'}'.repeat(50_000)}`],
    ['nested memberships', `{"memberships":[${'['.repeat(100_000)}${']'.repeat(100_000)}]}`],
  ])('is refused: %s', async (_what, body) => {
    const server = await startServer({ settings })
    const id = await uploaded(server, 'data', owner)
    for (const path of [members(id), `${members(id)}/t2`]) {
      expect((await server.call('PUT', path, owner, body)).status).toBe(400)
    }
    expect((await server.call('GET', members(id), owner)).status).toBe(200)
  })

  it.each([
    ['with its length', {}, 'x'.repeat(1024 * 1024 + 1)],
    ['in chunks', { 'transfer-encoding': 'chunked' }, chunked(...Array.from({ length: 20 }, () => ' '.repeat(65_536)))],
  ])('is refused: a document of more than a megabyte %s', async (_how, headers, body) => {
    const server = await startServer({ settings })
    const id = await uploaded(server, 'data', owner)
    expect((await server.call('PUT', members(id), { ...owner, ...headers }, body)).status).toBe(413)
  })

  it('is answered before all of it came: a document that does not end', async () => {
    const server = await startServer({ settings })
    const id = await uploaded(server, 'data', owner)
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(request('PUT', members(id), { ...owner, 'transfer-encoding': 'chunked' }))
    const more = setInterval(() => socket.write(`10000\r\n${' '.repeat(65_536)}\r\n`), 1)
    const { status } = await readAnswer(socket)
    clearInterval(more)
    expect(status).toBe(413)
  })

  it('counts once: keys that are repeated, members that are', async () => {
    const server = await startServer({ settings: { ...settings, memberQuota: 1 } })
    const id = await uploaded(server, 'data', owner)
    const twice = '{"memberships":[{"member_id":"b"}],"memberships":[{"member_id":"a"},{"member_id":"a"}]}'
    expect((await server.call('PUT', members(id), owner, twice)).status).toBe(204)
    expect((await server.ports.members.list(id)).map(({ member }) => member)).toEqual(['a'])
  })

  it.each([
    ['a long query', `/v1/images?name=${'x'.repeat(9000)}`, [414]],
    ['a long path', `/v1/images/${'x'.repeat(9000)}`, [414]],
    ['many parameters', `/v1/images?${'a=1&'.repeat(1900)}`, [200]],
    ['many quotes', `/v1/images?name=in:${'"'.repeat(7000)}`, [200]],
    ['many commas', `/v1/images?name=in:${',"'.repeat(3500)}`, [200]],
    ['many percent signs', `/v1/images?name=${'%'.repeat(7000)}`, [200]],
    ['many blanks in a number', `/v1/images?size_min=${'+'.repeat(7000)}x`, [400]],
    ['a long time', `/v1/images?changes-since=${'1'.repeat(7000)}`, [400]],
    ['a long sort key', `/v1/images?sort_key=${'x'.repeat(7000)}`, [400]],
    ['hyphens for a marker', `/v1/images?marker=${'-'.repeat(7000)}`, [400]],
  ])('takes no time: %s', async (_what, path, statuses) => {
    const server = await startServer()
    const before = process.cpuUsage()
    const { status } = await server.call('GET', path)
    const { user, system } = process.cpuUsage(before)
    expect(statuses).toContain(status)
    expect((user + system) / 1000).toBeLessThan(500)
  })

  it('is refused: headers without end, and more of them than 64 KiB', async () => {
    const server = await startServer()
    const many = Array.from({ length: 10_000 }, (_, at) => `x-${at}: x\r\n`).join('')
    expect((await server.raw(`GET /v1/images HTTP/1.1\r\nHost: x\r\n${many}\r\n`)).status).toBeGreaterThanOrEqual(400)
    expect(
      (await server.raw(`GET /v1/images HTTP/1.1\r\nHost: x\r\nx: ${'x'.repeat(70_000)}`)).status,
    ).toBeGreaterThanOrEqual(400)
  })
})
