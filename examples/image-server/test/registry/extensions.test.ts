import { describe, expect, it } from 'vitest'
import { registered } from './client.ts'

const ID = '5d1c4bc0-0000-4000-8000-000000000001'
const OURS = { 'x-mullion-registry': '1', accept: 'application/json' }
const TASK = { kind: 'copy', id: 't', image_id: ID, uri: 'v1:sealed', store: null }

describe('the extensions', () => {
  it('show a service the whole record, and take it', async () => {
    const { call } = await registered()
    const image = {
      id: 'no-uuid',
      status: 'saving',
      visibility: 'community',
      tags: ['a'],
      status_reason: 'why',
      writer: 'w.1',
      os_hash_algo: 'sha512',
      os_hash_value: 'cf83',
      created_at: '2001-02-03T04:05:06.789Z',
      location_data: [{ url: 'file:///p', metadata: {}, status: 'pending' }],
    }
    const ours = (await call('POST', '/images', { image }, OURS)).json.image
    expect(ours).toMatchObject({ ...image, created_at: '2001-02-03T04:05:06.789000', is_public: false, location: null })
    expect(ours.location_data).toEqual([{ id: 1, url: 'file:///p', metadata: {}, status: 'pending' }])
    const glances = (await call('GET', '/images/no-uuid')).json.image
    expect(glances.location_data).toEqual([])
    for (const key of ['visibility', 'tags', 'status_reason', 'writer', 'os_hash_algo', 'os_hash_value']) {
      expect(Object.keys(glances)).not.toContain(key)
    }
  })

  it('compare status and writer in one step', async () => {
    const { call } = await registered()
    await call('POST', '/images', { image: { id: ID, status: 'saving', writer: 'w.1' } }, OURS)
    const put = async (from_states: readonly string[], from_writer?: string): Promise<number> =>
      (await call('PUT', `/images/${ID}`, { image: { name: 'x' }, from_states, from_writer }, OURS)).status
    expect(await put(['queued', 'saving'], 'w.1')).toBe(200)
    expect(await put(['queued', 'saving'])).toBe(200)
    expect(await put(['saving'], 'w.2')).toBe(409)
    expect(await put(['queued'], 'w.1')).toBe(409)
    expect(await put([])).toBe(409)
    expect((await call('PUT', `/images/${ID}`, { image: {}, from_states: 'saving' }, OURS)).status).toBe(400)
    const conflict = await call('PUT', `/images/${ID}`, { image: {}, from_states: [] }, OURS)
    expect(conflict.json.error).toEqual({ code: 'conflict', message: 'Image operation conflicts' })
  })

  it('empty the list of locations', async () => {
    const { call } = await registered()
    await call('POST', '/images', { image: { id: ID, location: 'file:///a' } })
    expect((await call('PUT', `/images/${ID}`, { image: { location_data: [] } }, OURS)).json.image.location).toBeNull()
  })

  it('say which error it was', async () => {
    const { call } = await registered()
    const missing = await call('GET', `/images/${ID}`, undefined, OURS)
    expect([missing.status, missing.json.error]).toEqual([404, { code: 'not_found', message: 'Image not found' }])
    const update = await call('PUT', `/images/${ID}`, { image: {} }, OURS)
    expect([update.status, update.json.error.code]).toEqual([404, 'not_found'])
  })

  it('are for administrators', async () => {
    const { as } = await registered({ auth: 'trusted' })
    const member = as('mine', 'member')
    for (const [method, path, body] of [
      ['GET', '/images', undefined],
      ['GET', `/images/${ID}`, undefined],
      ['POST', '/images', { image: {} }],
    ] as const) {
      const answer = await member(method, path, body, OURS)
      expect([answer.status, answer.json.error.code]).toEqual([403, 'permission_denied'])
    }
    for (const [method, path, body] of [
      ['GET', '/tasks', undefined],
      ['POST', '/tasks', { task: TASK }],
      ['POST', '/tasks/claim', { worker: 'w', kind: 'copy' }],
      ['POST', '/tasks/release', { worker: 'w' }],
      ['GET', '/usage?owner=mine', undefined],
    ] as const) {
      expect((await member(method, path, body)).status).toBe(403)
    }
  })
})

describe('tasks', () => {
  it('are put in, claimed, renewed, given back and settled', async () => {
    const { call } = await registered()
    expect((await call('POST', '/tasks', { task: TASK })).status).toBe(204)
    const claimed = await call('POST', '/tasks/claim', { worker: 'w', kind: 'copy' })
    const claim = { task: TASK, worker: 'w', token: 't.1', attempt: 1, lease_ms: 30_000 }
    expect(JSON.parse(claimed.text)).toEqual({ claim })
    const told = { id: 't', kind: 'copy', image_id: ID, worker: 'w', token: 't.1', attempt: 1, lease_ms: 30_000 }
    expect((await call('POST', '/tasks/renew', { claim: told })).status).toBe(204)
    expect((await call('POST', '/tasks/give-back', { claim: told })).status).toBe(204)
    const lost = await call('POST', '/tasks/settle', { claim: told, failure: 'x' }, OURS)
    expect([lost.status, lost.json.error.code]).toEqual([409, 'conflict'])
    await call('POST', '/tasks/claim', { worker: 'w', kind: 'copy' })
    expect((await call('POST', '/tasks/settle', { claim: { ...told, token: 't.2' } })).status).toBe(204)
    expect(JSON.parse((await call('GET', '/tasks')).text)).toEqual({ tasks: [] })
    expect(JSON.parse((await call('POST', '/tasks/claim', { worker: 'w', kind: 'copy' })).text)).toEqual({
      claim: null,
    })
  })

  it.each([
    ['', { task: { ...TASK, kind: 'nonsense' } }],
    ['', {}],
    ['/claim', { worker: '', kind: 'copy' }],
    ['/claim', { worker: 'w' }],
    ['/renew', { claim: { id: 't' } }],
    ['/release', undefined],
  ])('POST /tasks%s of %j is 400', async (path, body) => {
    const { call } = await registered()
    const answer = await call('POST', `/tasks${path}`, body, OURS)
    expect([answer.status, answer.json.error.code]).toEqual([400, 'invalid_argument'])
  })
})

describe('GET /usage', () => {
  it('sums up what an owner has stored, without one image', async () => {
    const { call } = await registered()
    const image = { id: ID, owner: 'a b', size: 7, location: 'file:///a' }
    await call('POST', '/images', { image })
    const usage = async (query: string): Promise<unknown> => JSON.parse((await call('GET', `/usage?${query}`)).text)
    expect(await usage('owner=a+b')).toEqual({ usage: 7 })
    expect(await usage(`owner=a%20b&except=${ID}`)).toEqual({ usage: 0 })
    expect((await call('GET', '/usage')).status).toBe(400)
  })
})
