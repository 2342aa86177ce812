import { collect, defineStore, type ErrorCode, type StoreMap, type StoreSpec } from 'mullion'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { startRemote } from './remote.ts'
import { identity, policyWithout, reserved, startServer, uploaded } from './server.ts'

/** A store that keeps nothing and refuses to remove with `code`. */
function clinging(code: ErrorCode): StoreMap {
  const plugin = defineStore({
    name: 'clinging',
    schemes: ['clinging'],
    config: z.object({}),
    location: { parse: (uri: string) => uri, format: (key) => `clinging://${key}` },
    classify: () => code,
    open: () => ({
      read: () => Promise.reject(new Error('no')),
      stat: () => Promise.reject(new Error('no')),
      async write(key: string, body: AsyncIterable<Uint8Array>) {
        await collect(body)
        return { at: key }
      },
      remove: () => Promise.reject(new Error('/srv/images: busy')),
    }),
  })
  return { clinging: plugin({}) as StoreSpec<never> }
}

describe('DELETE /v1/images/{id} (Images v1 §13.1)', () => {
  it('answers 200 with an empty body, and record and data are gone', async () => {
    const server = await startServer()
    const id = await uploaded(server, 'data')
    const answer = await server.call('DELETE', `/v1/images/${id}`)
    expect([answer.status, answer.text, answer.headers['content-length']]).toEqual([200, '', '0'])
    expect((await server.call('GET', `/v1/images/${id}`)).status).toBe(404)
    await expect(server.ports.stores.getSizeFromBackend(`memory://${id}`)).rejects.toMatchObject({ code: 'not_found' })
    expect(server.notices.at(-1)?.event).toBe('delete')
  })

  it('ignores a body that is no JSON', async () => {
    const server = await startServer()
    const id = await reserved(server)
    const answer = await server.call('DELETE', `/v1/images/${id}`, { 'content-type': 'application/json' }, '{broken')
    expect(answer.status).toBe(200)
  })

  it('answers 404 for what is not there, and for what is deleted', async () => {
    const server = await startServer()
    const nope = await server.call('DELETE', '/v1/images/nope')
    expect([nope.status, nope.text]).toEqual([404, expect.stringContaining('Image with identifier nope not found')])
    const id = await reserved(server)
    await server.call('DELETE', `/v1/images/${id}`)
    const again = await server.call('DELETE', `/v1/images/${id}`)
    expect([again.status, again.text]).toEqual([404, expect.stringContaining(`Image ${id} not found.`)])
  })

  it('keeps a protected image', async () => {
    const server = await startServer()
    const id = await uploaded(server, 'data', { 'x-image-meta-protected': 'true' })
    const answer = await server.call('DELETE', `/v1/images/${id}`)
    expect([answer.status, answer.text]).toEqual([403, expect.stringContaining('Image is protected')])
    expect((await server.call('GET', `/v1/images/${id}`)).text).toBe('data')
  })

  it('leaves the data to the scrubber when deletion is delayed', async () => {
    const server = await startServer({ settings: { delayedDelete: true } })
    const id = await uploaded(server, 'data')
    expect((await server.call('DELETE', `/v1/images/${id}`)).status).toBe(200)
    expect(await server.image(id)).toMatchObject({ status: 'pending_delete' })
    expect(await server.ports.stores.getSizeFromBackend(`memory://${id}`)).toBe(4)
    const again = await server.call('DELETE', `/v1/images/${id}`)
    expect([again.status, again.text]).toEqual([
      403,
      expect.stringContaining('Forbidden to delete a pending_delete image.'),
    ])
  })

  it('deletes an image whose data is gone, or cannot be deleted', async () => {
    const [server, remote] = [await startServer(), await startRemote()]
    const lost = await uploaded(server, 'data')
    await server.ports.stores.delete(`memory://${lost}`)
    expect((await server.call('DELETE', `/v1/images/${lost}`)).status).toBe(200)
    const formats = { 'x-image-meta-disk_format': 'raw', 'x-image-meta-container_format': 'bare' }
    const far = await reserved(server, { ...formats, 'x-image-meta-location': `${remote.url}/data` })
    expect((await server.call('DELETE', `/v1/images/${far}`)).status).toBe(200)
    expect((await server.image(far)).status).toBe('deleted')
  })

  it.each([
    ['in_use', 409, 'could not be deleted because it is in use'],
    ['permission_denied', 403, 'Forbidden to delete image: '],
  ] as const)('takes the deletion back when the store refuses: %s', async (code, status, text) => {
    const server = await startServer({ stores: clinging(code) })
    const id = await uploaded(server, 'data')
    const answer = await server.call('DELETE', `/v1/images/${id}`)
    expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(text)])
    expect(answer.octets).not.toContain('/srv')
    expect(await server.image(id)).toMatchObject({ status: 'active', deletedAt: undefined })
  })

  it('answers 500 and tells nothing when the store fails', async () => {
    const server = await startServer({ stores: clinging('internal') })
    const id = await uploaded(server, 'data')
    const answer = await server.call('DELETE', `/v1/images/${id}`)
    expect(answer.status).toBe(500)
    expect(answer.octets).not.toMatch(/srv|clinging|busy/)
  })

  it('asks the rule delete_image', async () => {
    const server = await startServer({ ports: { policy: policyWithout('delete_image') } })
    expect((await server.call('DELETE', '/v1/images/nope')).status).toBe(403)
  })

  it.each([false, true])('refuses strangers before any data is touched (delayed: %s)', async (delayedDelete) => {
    const server = await startServer({ settings: { auth: 'trusted', allowAnonymousAccess: true, delayedDelete } })
    const open = await uploaded(server, 'open', { ...identity('t1'), 'x-image-meta-is_public': '1' })
    const kept = await uploaded(server, 'kept', { ...identity('t1'), 'x-image-meta-protected': '1' })
    const shared = await uploaded(server, 'shared', identity('t1'))
    await server.ports.members.put(shared, { member: 't2', canShare: true })
    await server.ports.members.put(kept, { member: 't2', canShare: true })
    const answers = []
    for (const id of [open, kept, shared]) answers.push(await server.call('DELETE', `/v1/images/${id}`, identity('t2')))
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 404])
    expect(answers[0]?.text).toContain('Forbidden to delete image: ')
    expect(answers[2]?.text).toContain(`Failed to find image to delete: ${shared}`)
    const anonymous = await server.call('DELETE', `/v1/images/${open}`)
    expect([anonymous.status, anonymous.text]).toEqual([403, expect.stringContaining('Read-only access')])
    for (const [id, data] of [
      [open, 'open'],
      [kept, 'kept'],
      [shared, 'shared'],
    ] as const) {
      expect((await server.call('GET', `/v1/images/${id}`, identity('t1'))).text).toBe(data)
    }
  })
})
