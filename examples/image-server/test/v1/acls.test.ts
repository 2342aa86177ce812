import { type Acls, MullionError } from 'mullion'
import { describe, expect, it } from 'vitest'
import { identity, startServer, type TestOptions, uploaded } from './server.ts'

const trusted: TestOptions = { settings: { auth: 'trusted' } }
const owner = identity('t1', 'member')
const admin = identity('ops', 'admin')
const json = (value: unknown): string => JSON.stringify(value)

describe('access lists of the store', () => {
  /** A server whose store keeps lists; the last one it was told comes first. */
  async function listening() {
    const told: Acls[] = []
    const failure: { error: Error | undefined } = { error: undefined }
    const stores = {
      setAcls: async (_location: unknown, acls: Acls) => {
        if (acls.readers.includes('victim')) await new Promise(setImmediate) // the slower ones
        if (failure.error) throw failure.error
        told.unshift(acls)
      },
    }
    const first = await startServer(trusted)
    const second = await startServer({ ...trusted, ports: { stores: { ...first.ports.stores, ...stores } } })
    return { server: second, told, failure }
  }

  it('hear of each change of members, of visibility and of data', async () => {
    const { server: other, told } = await listening()
    const made = await uploaded(other, 'x', { ...admin, 'x-image-meta-is_public': 'True', 'x-image-meta-owner': 't1' })
    expect(told[0]).toEqual({ public: true, readers: [], writers: [] })
    const there = `/v1/images/${made}`
    await other.call('PUT', `${there}/members/t2`, owner, json({ member: { can_share: true } }))
    await other.call('PUT', `${there}/members/t3`, owner)
    expect(told[0]).toEqual({ public: true, readers: ['t3'], writers: ['t2'] })
    await other.call('PUT', there, { ...owner, 'x-image-meta-is_public': 'False' })
    expect(told[0]).toEqual({ public: false, readers: ['t3'], writers: ['t2'] })
    await other.call('DELETE', `${there}/members/t2`, owner)
    expect(told[0]).toEqual({ public: false, readers: ['t3'], writers: [] })
    await other.call('PUT', `${there}/members`, owner, json({ memberships: [] }))
    expect(told[0]).toEqual({ public: false, readers: [], writers: [] })
  })

  it('S-37: that could not be told make the caller try again, who then succeeds', async () => {
    const { server: other, told, failure } = await listening()
    const there = `/v1/images/${await uploaded(other, 'x', owner)}/members/t2`
    await other.call('PUT', there, owner)
    failure.error = new MullionError('unavailable', 'a store with a secret is away', { details: {} })
    const answer = await other.call('PUT', there, owner)
    expect([answer.status, answer.text]).toEqual([503, expect.not.stringContaining('secret')])
    failure.error = undefined
    expect((await other.call('PUT', there, owner)).status).toBe(204)
    expect(told[0]?.readers).toEqual(['t2'])
  })

  it('end with what the records say when two change them at once', async () => {
    const { server: other, told } = await listening()
    const there = `/v1/images/${await uploaded(other, 'x', owner)}/members`
    for (let round = 0; round < 10; round += 1) {
      await other.call('PUT', `${there}/victim`, owner)
      await Promise.all([
        other.call('PUT', `${there}/m${round}`, owner),
        other.call('DELETE', `${there}/victim`, owner),
      ])
      expect(told[0]?.readers).not.toContain('victim')
      expect(told[0]?.readers).toContain(`m${round}`)
    }
  })

  it('say nothing of an image without data', async () => {
    const { server: other, told } = await listening()
    const answer = await other.call('POST', '/v1/images', { ...owner, 'x-image-meta-name': 'empty' })
    await other.call('PUT', `/v1/images/${answer.json.image.id}/members/t2`, owner)
    expect(told).toEqual([])
  })
})
