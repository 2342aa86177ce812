import { beforeEach, describe, expect, it } from 'vitest'
import { identity, policyWithout, reserved, startServer, type TestServer, uploaded, utf8AsLatin1 } from './server.ts'

/** Names in the order of the answer. */
async function names(server: TestServer, query: string, headers: Record<string, string> = {}): Promise<unknown> {
  const answer = await server.call('GET', `/v1/images/detail?${query}`, headers)
  if (answer.status !== 200) throw new Error(answer.octets)
  return answer.json.images.map(({ name }) => name)
}

const PUBLIC = { 'x-image-meta-is_public': 'true' }

describe('GET /v1/images (Images v1 §12)', () => {
  it('answers exactly an empty list when there is nothing', async () => {
    const server = await startServer()
    for (const path of ['/v1/images', '/v1/images/detail', '/v1/']) {
      const answer = await server.call('GET', path)
      expect([answer.status, answer.text]).toEqual([200, '{"images":[]}'])
      expect(answer.headers['content-type']).toBe('application/json; charset=UTF-8')
    }
  })

  it('shows six fields, and in detail all but the location', async () => {
    const server = await startServer()
    await uploaded(server, 'data', { ...PUBLIC, 'x-image-meta-property-a': '1' })
    const brief = await server.call('GET', '/v1/images')
    const keys = ['id', 'name', 'disk_format', 'container_format', 'checksum', 'size']
    expect(brief.json.images.map((image) => Object.keys(image))).toEqual([keys])
    const detail = await server.call('GET', '/v1/images/detail')
    expect(detail.json.images[0]).toMatchObject({ status: 'active', properties: { a: '1' }, is_public: true })
    expect(detail.octets).not.toContain('memory://')
    expect(detail.json.images[0]).not.toHaveProperty('location')
  })

  it('sends a long list in pieces, which make the same document', async () => {
    const server = await startServer()
    const long = 'ü'.repeat(6_000)
    const headers = { ...PUBLIC, 'x-image-meta-property-long': utf8AsLatin1(long) }
    await Promise.all(Array.from({ length: 20 }, () => reserved(server, headers)))
    const response = await fetch(`${server.url}/v1/images/detail`)
    expect([response.headers.get('content-length'), response.headers.get('content-type')]).toEqual([
      null,
      'application/json; charset=UTF-8',
    ])
    const text = await response.text()
    const { images } = JSON.parse(text) as { images: readonly { properties: unknown }[] }
    expect(images.map(({ properties }) => properties)).toEqual(Array.from({ length: 20 }, () => ({ long })))
    expect(text).toBe(JSON.stringify({ images }))
    const short = await server.call('GET', '/v1/images/detail?limit=3')
    expect(short.headers['content-length']).toBe(String(short.body.length))
  })

  it('asks the rule get_images', async () => {
    const server = await startServer({ ports: { policy: policyWithout('get_images') } })
    expect((await server.call('GET', '/v1/images?limit=x')).status).toBe(403)
  })

  it.each([
    ['size_min=x', 'Bad value passed to filter size_min got x'],
    ['size_max=-1', 'Bad value passed to filter size_max got -1'],
    ['min_ram=1.5', 'Bad value passed to filter min_ram got 1.5'],
    ['size_min=99999999999999999999', 'Bad value passed to filter size_min got 99999999999999999999'],
    ['is_public=maybe', 'Bad value passed to filter is_public got maybe'],
    ['protected=2', 'Bad value passed to filter protected got 2'],
    ['protected=None', 'protected must be True, or False'],
    ['changes-since=yesterday', 'Unrecognized changes-since value'],
    ['changes-since=2016-01-01T00:00:00+01:00', 'Unrecognized changes-since value'],
    ['limit=x', 'limit param must be an integer'],
    ['limit=-1', 'limit param must be positive'],
    [
      'sort_key=owner',
      'Unsupported sort_key. Acceptable values: name, status, container_format, disk_format, size, id',
    ],
    ['sort_dir=up', 'Unsupported sort_dir. Acceptable values: asc, desc'],
    ['marker=nope', 'Invalid marker format'],
    ['marker=', 'Invalid marker. Image could not be found.'],
    ['marker=0b4d2a3c-7c2f-4a53-9d2b-1f1c5a8e9f10', 'Invalid marker. Image could not be found.'],
    ['name=%ff', 'Error decoding your request.'],
  ])('refuses ?%s', async (query, text) => {
    const server = await startServer()
    const answer = await server.call('GET', `/v1/images?${query}`)
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(text)])
  })
})

describe('filters, order and pages', () => {
  let server: TestServer
  beforeEach(async () => {
    server = await startServer({ settings: { limitParamDefault: 4, apiLimitMax: 5 } })
    const all = { ...PUBLIC, 'x-image-meta-property-os': 'bsd' }
    await uploaded(server, '1', { ...all, 'x-image-meta-name': 'a', 'x-image-meta-min_ram': '7' })
    await uploaded(server, '22', { ...all, 'x-image-meta-name': 'b', 'x-image-meta-min_disk': '3' })
    await uploaded(server, '333', { ...all, 'x-image-meta-name': 'c:d', 'x-image-meta-disk_format': 'iso' })
    await reserved(server, { ...all, 'x-image-meta-name': 'e,f', 'x-image-meta-property-arch': 'arm' })
    await reserved(server, { ...PUBLIC, 'x-image-meta-name': 'g', 'x-image-meta-protected': 'true' })
    await reserved(server, { ...PUBLIC, 'x-image-meta-name': utf8AsLatin1('ü') })
  })

  it.each([
    ['name=a', ['a']],
    ['name=eq:a', ['a']],
    ['name=in:a,b', ['a', 'b']],
    ['name=in:a,"e,f"', ['a', 'e,f']],
    ['name=c:d', ['c:d']],
    ['name=%C3%BC', ['ü']],
    ['name=a&name=b', ['b']],
    ['status=queued', ['e,f', 'g', 'ü']],
    ['disk_format=iso', ['c:d']],
    ['container_format=bare&size_min=2', ['b', 'c:d']],
    ['size_min=1&size_max=2', ['a', 'b']],
    ['min_ram=7', ['a']],
    ['min_disk=3', ['b']],
    ['min_disk=junk', []],
    ['protected=True', ['g']],
    ['property-os=bsd&property-arch=arm', ['e,f']],
    ['property-OS=bsd', []],
    ['owner=x&checksum=y&id=z&tag=t&unknown=u&format=json', ['a', 'b', 'c:d', 'e,f']],
  ])('?%s', async (query, expected) => {
    expect(await names(server, `sort_key=name&sort_dir=asc&${query}`)).toEqual(expected)
  })

  it('sorts by creation, latest first, and by what is asked', async () => {
    expect(await names(server, 'limit=2&sort_key=size&sort_dir=desc')).toEqual(['c:d', 'b'])
    expect(await names(server, 'limit=2&sort_key=name')).toEqual(['ü', 'g'])
    const { json } = await server.call('GET', '/v1/images/detail?limit=5')
    const times = json.images.map(({ created_at }) => created_at)
    expect(times).toEqual(times.toSorted().toReversed())
  })

  it('takes its default limit, its highest limit, and 0', async () => {
    expect(await names(server, '')).toHaveLength(4)
    expect(await names(server, 'limit=1000')).toHaveLength(5)
    expect(await names(server, 'limit=0')).toEqual([])
  })

  it('goes through all pages by marker', async () => {
    const seen: (string | null)[] = []
    for (let marker = ''; ; ) {
      const { json } = await server.call('GET', `/v1/images/detail?limit=2&sort_key=name&sort_dir=asc${marker}`)
      seen.push(...json.images.map(({ name }) => name))
      if (json.images.length < 2) break
      marker = `&marker=${json.images.at(-1)?.id}`
    }
    expect(seen).toEqual(['a', 'b', 'c:d', 'e,f', 'g', 'ü'])
  })

  it('leaves out deleted and killed images, unless changes are asked for', async () => {
    const id = await reserved(server, { ...PUBLIC, 'x-image-meta-name': 'gone' })
    await server.call('DELETE', `/v1/images/${id}`)
    const killed = await reserved(server, { ...PUBLIC, 'x-image-meta-name': 'killed' })
    await server.ports.images.update(killed, { status: 'killed' })
    expect(await names(server, 'status=killed')).toEqual([])
    expect(await names(server, 'changes-since=2016-01-01&status=killed')).toEqual(['killed'])
    expect(await names(server, 'changes-since=2016-01-01T00:00:00%2B01:00&status=deleted')).toEqual(['gone'])
    expect(await names(server, 'changes-since=2999-01-01')).toEqual([])
  })
})

describe('who sees what in lists', () => {
  let server: TestServer
  beforeEach(async () => {
    server = await startServer({ settings: { auth: 'trusted', allowAnonymousAccess: true } })
    await reserved(server, { ...identity('t1'), ...PUBLIC, 'x-image-meta-name': 'public' })
    await reserved(server, { ...identity('t1'), 'x-image-meta-name': 'mine' })
    const id = await reserved(server, { ...identity('t2'), 'x-image-meta-name': 'shared' })
    await server.ports.members.put(id, { member: 't1', canShare: false })
    await reserved(server, { ...identity('t2'), 'x-image-meta-name': 'theirs' })
    await reserved(server, { ...identity('t9', 'admin'), 'x-image-meta-owner': '', 'x-image-meta-name': 'nobodys' })
  })

  const order = 'sort_key=name&sort_dir=asc'
  it.each([
    ['a user', identity('t1'), '', ['mine', 'public', 'shared']],
    ['a user who asks for all', identity('t1'), '&is_public=none', ['mine', 'public', 'shared']],
    ['nobody', {}, '', ['public']],
    ['an admin', identity('t1', 'admin'), '', ['mine', 'public', 'shared']],
    ['an admin who asks for public ones', identity('t2', 'admin'), '&is_public=1', ['public', 'shared', 'theirs']],
    [
      'an admin who asks for others',
      identity('t1', 'admin'),
      '&is_public=False',
      ['mine', 'nobodys', 'shared', 'theirs'],
    ],
    [
      'an admin who asks for all',
      identity('t1', 'admin'),
      '&is_public=None',
      ['mine', 'nobodys', 'public', 'shared', 'theirs'],
    ],
  ])('%s', async (_who, headers, query, expected) => {
    expect(await names(server, order + query, headers)).toEqual(expected)
  })

  it('refuses the marker of an image that is not to be seen', async () => {
    const [theirs] = (await server.call('GET', '/v1/images?name=theirs', identity('t2'))).json.images
    const answer = await server.call('GET', `/v1/images?marker=${theirs?.id}`, identity('t1'))
    expect([answer.status, answer.text]).toEqual([
      400,
      expect.stringContaining('Invalid marker. Image could not be found.'),
    ])
  })

  it('takes the marker of an image that left the list since', async () => {
    const images = async (query: string): Promise<readonly { id: string }[]> =>
      (await server.call('GET', `/v1/images?${query}`, identity('t1', 'admin'))).json.images
    const [hidden] = await images('is_public=none&name=theirs')
    const rest = await images(`is_public=none&marker=${hidden?.id}`)
    const visible = new Set((await images('limit=100')).map(({ id }) => id))
    const expected = rest.filter(({ id }) => visible.has(id))
    expect(await images(`marker=${hidden?.id}`)).toEqual(expected)
  })

  it('an open deployment has no owner and sees public images only', async () => {
    const open = await startServer()
    await reserved(open, { 'x-image-meta-name': 'private' })
    await reserved(open, { ...PUBLIC, 'x-image-meta-name': 'public' })
    expect(await names(open, order)).toEqual(['public'])
    expect(await names(open, `${order}&is_public=none`)).toEqual(['private', 'public'])
  })
})
