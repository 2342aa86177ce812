import { describe, expect, it } from 'vitest'
import { readMemberships } from '../../src/v1/memberships.ts'
import { identity, request, startServer } from './server.ts'

const settings = { auth: 'trusted' } as const
const owner = identity('t1', 'member')
const PATH = '/v1/images/x/members'

describe('the JSON of a request', () => {
  it.each([
    ['lists', '['.repeat(400_000) + ']'.repeat(400_000)],
    ['objects', `${'{"member":'.repeat(50_000)}1${'}'.repeat(50_000)}`],
    ['one level too many', `${'{"x":'.repeat(32)}{}${'}'.repeat(32)}`],
  ])('is refused with 400 when it is nested too deep: %s', async (_what, body) => {
    const server = await startServer({ settings })
    const answer = await server.call('PUT', `${PATH}/t2`, owner, body)
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('nested deeper than 32 levels')])
  })

  it('may be nested that deep', async () => {
    const server = await startServer({ settings })
    const body = `${'{"x":'.repeat(31)}{}${'}'.repeat(31)}`
    expect((await server.call('PUT', `${PATH}/t2`, owner, body)).status).toBe(404) // there is no such image
  })

  it('of which nothing more comes is answered with 408', async () => {
    const server = await startServer({ settings: { ...settings, idleTimeoutMs: 50 } })
    const head = request('PUT', `${PATH}/t2`, { ...owner, 'content-length': '100' })
    const answer = await server.raw(Buffer.concat([head, Buffer.from('{"member"')]))
    expect([answer.status, answer.text]).toEqual([408, expect.stringContaining('client sent nothing for 50 ms')])
    expect(answer.headers['connection']).toBe('close')
  })
})

describe('what is no membership', () => {
  it('is shown by its surface only', async () => {
    const server = await startServer({ settings })
    const answer = await server.call('PUT', PATH, owner, `{"member_id":7,"x":{"y":{}},"z":"${'z'.repeat(900)}"}`)
    const shown = 'Invalid membership association: {"member_id":7,"x":"…","z":"zzz'
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(shown)])
    expect(answer.text.length).toBeLessThan(500)
  })

  it.each(['[', '{"":'])('is shown however deep it is nested in %s', (open) => {
    const close = open === '[' ? ']' : '}'
    const hostile: unknown = JSON.parse(`${open.repeat(100_000)}1${close.repeat(100_000)}`)
    expect(() => readMemberships(hostile)).toThrow(/^Invalid membership association: .{1,200}$/)
    expect(() => readMemberships({ memberships: [hostile] })).toThrow(/^Invalid membership association: .{1,200}$/)
  })
})
