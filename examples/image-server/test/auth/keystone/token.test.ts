import { describe, expect, it } from 'vitest'
import { readToken } from '../../../src/auth/keystone/token.ts'

const TOKEN = {
  user: { id: 'u' },
  project: { id: 'p' },
  roles: [{ name: 'Admin' }, { name: 'member' }],
  expires_at: '2026-11-22T17:00:00.000000Z',
  catalog: [{ type: 'image' }],
}
const read = (over: object = {}) => readToken(JSON.stringify({ token: { ...TOKEN, ...over } }), 'admin')

describe('what Keystone says of a token', () => {
  it('is its user, project, roles and end', () => {
    expect(read()).toEqual({
      user: 'u',
      tenant: 'p',
      roles: ['Admin', 'member'],
      expiresAt: Date.UTC(2026, 10, 22, 17),
      accessRules: undefined,
      serviceTypes: [],
      isBound: false,
    })
  })

  it('§4.11: roles of another domain are nothing special, those of the whole system are', () => {
    expect(read({ project: undefined, domain: { id: 'd' } })).toMatchObject({ tenant: undefined, roles: [] })
    expect(read({ project: undefined, roles: undefined })).toMatchObject({ tenant: undefined, roles: [] })
    expect(read({ project: undefined, system: { all: true } })).toMatchObject({ roles: ['Admin', 'member'] })
  })

  it('§4.11: an administrator is none outside of the admin project, where there is one', () => {
    expect(read({ is_admin_project: false }).roles).toEqual(['member'])
    expect(read({ is_admin_project: true }).roles).toEqual(['Admin', 'member'])
  })

  it('has the access rules of an application credential; what cannot be read of them allows nothing', () => {
    const rule = { id: 'x', method: 'GET', path: '/v1/images', service: 'image' }
    const of = (access_rules: unknown) => read({ application_credential: { access_rules } }).accessRules
    expect(of([rule])).toEqual([rule])
    expect(of([])).toEqual([])
    expect(of([{ ...rule, path: 1 }, null])).toEqual([])
    expect(of('anything')).toEqual([])
    expect(of(undefined)).toBeUndefined()
    expect(read({ application_credential: { access_rules: [rule] } }).serviceTypes).toEqual(['image'])
  })

  it('may be bound to a connection', () => {
    expect(read({ bind: { kerberos: 'somebody' } }).isBound).toBe(true)
    expect(read({ bind: {} }).isBound).toBe(false)
  })

  it.each(['', '<html>', '{}', 'null', '{"token":null}', '{"token":{"user":{"id":"u"}}}'])(
    'is no token at all: %j',
    (text) => {
      expect(() => readToken(text, 'admin')).toThrow(expect.objectContaining({ name: 'KeystoneUnavailable' }))
    },
  )
})
