import { describe, expect, it } from 'vitest'
import { registered } from './client.ts'

const ID = '5d1c4bc0-0000-4000-8000-000000000001'
const OTHER = '5d1c4bc0-0000-4000-8000-000000000002'

/** How Glance's registry writes a plain error (webob/exc.py). */
const detail = (text: string): string => text.split('\n\n').slice(2).join('\n\n').trim()

describe('POST /images', () => {
  it('answers 200 with the image, active unless it says otherwise', async () => {
    const { call } = await registered()
    const answer = await call('POST', '/images', { image: { name: 'x' } })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json; charset=UTF-8')
    const { image } = answer.json
    expect(image).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      name: 'x',
      status: 'active',
      size: null,
      virtual_size: null,
      disk_format: null,
      container_format: null,
      min_disk: 0,
      min_ram: 0,
      is_public: false,
      protected: false,
      checksum: null,
      owner: null,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/) as string,
      updated_at: image.created_at,
      deleted_at: null,
      deleted: false,
      properties: {},
      location: null,
      location_data: [],
    })
  })

  it('takes every field of Glance, sizes also as text, and ignores what it does not know', async () => {
    const { call } = await registered()
    const image = {
      id: ID,
      status: 'queued',
      size: '12',
      virtual_size: 13,
      min_disk: '2',
      min_ram: null,
      is_public: 'True',
      protected: true,
      owner: '',
      properties: { a: '1', ['__proto__']: 'p', n: null },
      checksum: 'c',
      created_at: '2001-01-01',
      nonsense: { deep: [] },
      visibility: 'community',
      writer: 'w',
    }
    const answer = await call('POST', '/images', { image: JSON.parse(JSON.stringify(image)) as unknown })
    expect(answer.json.image).toMatchObject({ id: ID, size: 12, virtual_size: 13, min_disk: 2, min_ram: 0 })
    expect(answer.json.image).toMatchObject({ is_public: true, protected: true, owner: null, checksum: 'c' })
    expect(answer.json.image.created_at).not.toContain('2001')
    expect(Object.keys(answer.json.image)).not.toContain('writer')
  })

  it('keeps properties whatever they are called', async () => {
    const { call } = await registered()
    const text = '{"image": {"properties": {"__proto__": "p", "constructor": "c", "a": null}}}'
    const answer = await call('POST', '/images', text)
    expect(Object.entries(answer.json.image.properties)).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
      ['a', null],
    ])
  })

  it.each([
    [{ id: 'x' }, 'Invalid image id format'],
    [{ status: 'new' }, "Invalid image status 'new' for image."],
    [{ status: null }, 'Image status is required.'],
    [{ min_disk: 2 ** 31 }, "'min_disk' value out of range, must not exceed 2147483647."],
    [{ size: 'big' }, 'Invalid size for image: expected an integer'],
    [{ location_data: [{ url: 'file:///x', status: 'pending' }] }, "Invalid location status 'pending' for image."],
  ])('answers 400 to %j', async (image, problem) => {
    const { call } = await registered()
    const answer = await call('POST', '/images', { image })
    expect([answer.status, detail(answer.text)]).toEqual([400, `Failed to add image metadata. Got error: ${problem}`])
  })

  it.each([
    ['{', 'Malformed JSON in request body.'],
    ['"text"', 'Unexpected body type. Expected list/dict.'],
    ['[]', 'The request body has no image'],
    ['{}', 'The request body has no image'],
    [undefined, 'The request body has no image'],
  ])('answers 400 to the body %s', async (body, problem) => {
    const { call } = await registered()
    const answer = await call('POST', '/images', body)
    expect([answer.status, detail(answer.text)]).toEqual([400, problem])
  })

  it('answers 409 to an id that is taken, also by an image that was deleted', async () => {
    const { call } = await registered()
    await call('POST', '/images', { image: { id: ID } })
    await call('DELETE', `/images/${ID}`)
    const answer = await call('POST', '/images', { image: { id: ID } }, { accept: 'application/json' })
    expect(answer.status).toBe(409)
    expect(answer.json.error).toEqual({
      code: 'already_exists',
      message: `Image with identifier ${ID} already exists!`,
    })
  })

  it('makes the tenant the owner, unless an administrator names another', async () => {
    const { as } = await registered({ auth: 'trusted' })
    const owner = async (...call: Parameters<typeof as>): Promise<string | null> =>
      (await as(...call)('POST', '/images', { image: { owner: 'named' } })).json.image.owner
    expect(await owner('mine', 'member')).toBe('mine')
    expect(await owner('mine', 'Admin')).toBe('named')
    expect((await as('mine', 'admin')('POST', '/images', { image: {} })).json.image.owner).toBe('mine')
  })
})

describe('PUT /images/{id}', () => {
  it('changes the keys that are there and merges properties, or purges them', async () => {
    const { call } = await registered()
    await call('POST', '/images', { image: { id: ID, name: 'x', size: 1, properties: { a: '1', b: '2' } } })
    const merged = await call('PUT', `/images/${ID}`, { image: { size: null, properties: { b: '3' } } })
    expect(merged.json.image).toMatchObject({ name: 'x', size: null, properties: { a: '1', b: '3' } })
    const purge = { 'x-glance-registry-purge-props': 'true' }
    const purged = await call('PUT', `/images/${ID}`, { image: { properties: { c: '4' } } }, purge)
    expect(purged.json.image.properties).toEqual({ c: '4' })
    const kept = await call('PUT', `/images/${ID}`, { image: {} }, { 'x-glance-registry-purge-props': 'True' })
    expect(kept.json.image.properties).toEqual({ c: '4' })
    expect((await call('PUT', `/images/${ID}`, { image: {} }, purge)).json.image.properties).toEqual({})
  })

  it('changes an image only in from_state', async () => {
    const { call } = await registered()
    await call('POST', '/images', { image: { id: ID, status: 'queued' } })
    const body = { image: { status: 'saving' }, from_state: 'queued' }
    expect((await call('PUT', `/images/${ID}`, body)).status).toBe(200)
    const second = await call('PUT', `/images/${ID}`, body)
    expect([second.status, second.text]).toEqual([409, 'Image operation conflicts'])
    expect((await call('PUT', `/images/${ID}`, { ...body, from_state: null })).status).toBe(200)
    // for services only
    const ours = { image: { name: 'x' }, from_states: ['active'], from_writer: 'w' }
    expect((await call('PUT', `/images/${ID}`, ours)).status).toBe(200)
  })

  it('merges locations by URL, replaces what Glance sees, and keeps all when the list is empty', async () => {
    const { call, ports } = await registered()
    await call('POST', '/images', { image: { id: ID, location: 'file:///a' } })
    const waiting = { uri: 'file:///w', metadata: {}, status: 'pending_delete' } as const
    const { locations } = await ports.images.get(ID)
    await ports.images.update(ID, { locations: [...locations, waiting] })
    const image = { location: 'file:///b', location_data: [{ url: 'file:///c', metadata: { m: '1' } }] }
    const changed = (await call('PUT', `/images/${ID}`, { image })).json.image
    expect(changed.location).toBe('file:///b')
    expect(changed.location_data).toEqual([
      { id: 1, url: 'file:///b', metadata: {}, status: 'active' },
      { id: 2, url: 'file:///c', metadata: { m: '1' }, status: 'active' },
    ])
    expect((await ports.images.get(ID)).locations).toContainEqual(waiting)
    const same = { location: 'file:///b', location_data: [{ url: 'file:///b', metadata: { m: '2' } }] }
    expect((await call('PUT', `/images/${ID}`, { image: same })).json.image.location_data).toEqual([
      { id: 1, url: 'file:///b', metadata: { m: '2' }, status: 'active' },
    ])
    expect((await call('PUT', `/images/${ID}`, { image: { location_data: [] } })).json.image.location).toBe('file:///b')
  })

  it('leaves an image that is not public as it is when is_public is false', async () => {
    const { call, ports } = await registered()
    await call('POST', '/images', { image: { id: ID } })
    await ports.images.update(ID, { visibility: 'community' })
    await call('PUT', `/images/${ID}`, { image: { is_public: false } })
    expect((await ports.images.get(ID)).visibility).toBe('community')
    await call('PUT', `/images/${ID}`, { image: { is_public: true } })
    await call('PUT', `/images/${ID}`, { image: { is_public: false } })
    expect((await ports.images.get(ID)).visibility).toBe('private')
  })

  it('refuses another id and statuses that are none', async () => {
    const { call } = await registered()
    await call('POST', '/images', { image: { id: ID } })
    const renamed = await call('PUT', `/images/${ID}`, { image: { id: OTHER, name: 'x' } })
    expect([renamed.status, renamed.text]).toEqual([404, 'Image not found'])
    const none = await call('PUT', `/images/${ID}`, { image: { status: null } })
    expect([none.status, detail(none.text)]).toEqual([
      400,
      'Failed to update image metadata. Got error: Image status is required.',
    ])
  })

  it('is for the owner: 403 where the image is public, 404 where it is not', async () => {
    const { as } = await registered({ auth: 'trusted' })
    const [mine, theirs] = [as('mine', 'member'), as('theirs', 'member')]
    await mine('POST', '/images', { image: { id: ID, is_public: true } })
    await mine('POST', '/images', { image: { id: OTHER } })
    await mine('PUT', `/images/${OTHER}/members/theirs`)
    const body = { image: { name: 'x', owner: 'theirs' } }
    for (const method of ['PUT', 'DELETE']) {
      expect((await theirs(method, `/images/${ID}`, body)).status).toBe(403)
      const shared = await theirs(method, `/images/${OTHER}`, body)
      expect([shared.status, shared.text]).toEqual([404, 'Image not found'])
    }
    expect((await mine('PUT', `/images/${ID}`, body)).json.image).toMatchObject({ name: 'x', owner: 'mine' })
    expect((await as('x', 'admin')('PUT', `/images/${ID}`, body)).json.image.owner).toBe('theirs')
  })
})

describe('GET /images/{id}', () => {
  it.each([OTHER, 'x', 'a'.repeat(40)])('answers 404 for %s', async (id) => {
    const { call } = await registered()
    const answer = await call('GET', `/images/${id}`)
    expect([answer.status, answer.text]).toEqual([404, 'Image not found'])
  })

  it('shows the places of a deactivated image to administrators only', async () => {
    const { as } = await registered({ auth: 'trusted' })
    const image = { id: ID, status: 'deactivated', location: 'file:///a' }
    await as('mine', 'member')('POST', '/images', { image })
    const seen = (await as('mine', 'member')('GET', `/images/${ID}`)).json.image
    expect([seen.location, seen.location_data]).toEqual([null, []])
    expect((await as('x', 'admin')('GET', `/images/${ID}`)).json.image.location).toBe('file:///a')
  })

  it('hides what is not committed yet, and what awaits the scrubber', async () => {
    const { call, ports } = await registered()
    await call('POST', '/images', { image: { id: ID } })
    const locations = (['pending', 'pending_delete'] as const).map((status) => ({
      uri: `file:///${status}`,
      metadata: {},
      status,
    }))
    await ports.images.update(ID, { locations })
    expect((await call('GET', `/images/${ID}`)).json.image.location_data).toEqual([])
  })
})

describe('DELETE /images/{id}', () => {
  it('finishes what Glance began by setting the status, also for the owner', async () => {
    const { as } = await registered({ auth: 'trusted' })
    const mine = as('mine', 'member')
    await mine('POST', '/images', { image: { id: ID, location: 'file:///a', properties: { a: '1' } } })
    expect((await mine('PUT', `/images/${ID}`, { image: { status: 'deleted' } })).status).toBe(200)
    const { image } = (await mine('DELETE', `/images/${ID}`)).json
    expect(image).toMatchObject({ status: 'deleted', deleted: true, properties: {}, location_data: [] })
    expect(image.deleted_at).not.toBeNull()
    expect((await mine('GET', `/images/${ID}`)).status).toBe(404)
    expect((await mine('PUT', `/images/${ID}`, { image: { name: 'x' } })).status).toBe(404)
    expect((await as('x', 'admin')('GET', `/images/${ID}`)).status).toBe(200)
  })

  it('keeps the places of data that awaits the scrubber, where the scrubber finds them', async () => {
    const { call } = await registered()
    await call('POST', '/images', { image: { id: ID, location: 'file:///a' } })
    await call('PUT', `/images/${ID}/members/guest`)
    const location = { url: 'file:///a', metadata: {}, status: 'pending_delete' }
    await call('PUT', `/images/${ID}`, { image: { status: 'pending_delete', location_data: [location] } })
    expect((await call('DELETE', `/images/${ID}`)).json.image).toMatchObject({
      status: 'pending_delete',
      deleted: true,
      location_data: [],
    })
    expect((await call('GET', `/images/${ID}/members`)).json.members).toEqual([])
    const scrubbed = await call('GET', '/images/detail?deleted=true&is_public=none&status=pending_delete')
    expect(scrubbed.json.images.map(({ location_data: data }) => data)).toEqual([[{ id: 1, ...location }]])
  })

  it('takes a body for none', async () => {
    const { call } = await registered()
    await call('POST', '/images', { image: { id: ID } })
    expect((await call('DELETE', `/images/${ID}`, '{')).status).toBe(200)
  })
})

describe('somebody who may only read', () => {
  it('is told so', async () => {
    const { call } = await registered({ auth: 'trusted', allowAnonymousAccess: true })
    for (const [method, path] of [
      ['POST', '/images'],
      ['PUT', `/images/${ID}`],
      ['DELETE', `/images/${ID}`],
      ['PUT', `/images/${ID}/members`],
      ['PUT', `/images/${ID}/members/a`],
      ['DELETE', `/images/${ID}/members/a`],
    ] as const) {
      const answer = await call(method, path, { image: {} })
      expect([answer.status, detail(answer.text)]).toEqual([403, 'Read-only access'])
    }
  })

  it('is 401 where nobody is let in without an identity', async () => {
    const { call } = await registered({ auth: 'trusted' })
    expect((await call('GET', '/images')).status).toBe(401)
    expect((await call('GET', '/healthcheck')).text).toBe('OK')
  })
})
