import { describe, expect, it } from 'vitest'
import { endpointOf } from '../src/auth/catalog.ts'
import { createSession } from '../src/auth/session.ts'
import type { Token } from '../src/auth/token.ts'

function scene(renewable = true) {
  const clock = { now: 1_000_000 }
  const issued: Token[] = []
  const issue = async (): Promise<Token> => {
    const value = `token ${issued.length + 1}`
    const token = { value, expiresAt: clock.now + 3_600_000, catalog: [], storageUrl: undefined }
    issued.push(token)
    return token
  }
  const session = createSession({ issue, now: () => clock.now, renewBeforeMs: 60_000, renewable })
  return { clock, issued, session }
}

describe('session', () => {
  it('asks once for all who wait', async () => {
    const { issued, session } = scene()
    const tokens = await Promise.all(Array.from({ length: 5 }, () => session.token()))
    expect(new Set(tokens).size).toBe(1)
    expect(issued).toHaveLength(1)
  })

  it('renews a token before it ends', async () => {
    const { clock, session } = scene()
    const first = await session.token()
    clock.now += 3_500_000
    expect(await session.token()).toBe(first)
    clock.now += 41_000
    expect(await session.token()).not.toBe(first)
  })

  it('makes a new token when the service refused the old one, and one only', async () => {
    const { issued, session } = scene()
    const first = await session.token()
    expect(session.refused(first)).toBe(true)
    const second = await session.token()
    expect(session.refused(first)).toBe(true)
    expect(await session.token()).toBe(second)
    expect(issued).toHaveLength(2)
  })

  it('has no other token when it was given one', async () => {
    const { session } = scene(false)
    expect(session.refused(await session.token())).toBe(false)
  })

  it('tries again after a failure', async () => {
    let calls = 0
    const issue = async (): Promise<Token> => {
      calls += 1
      if (calls === 1) throw new Error('down')
      return { value: 'x', expiresAt: undefined, catalog: [], storageUrl: undefined }
    }
    const session = createSession({ issue, now: () => 0, renewBeforeMs: 0, renewable: true })
    await expect(session.token()).rejects.toThrow('down')
    expect((await session.token()).value).toBe('x')
  })
})

describe('catalogue', () => {
  const endpoint = (kind: string, region: string) => ({ interface: kind, region, url: `${kind}.${region}` })
  const endpoints = [endpoint('public', 'one'), endpoint('public', 'two'), endpoint('admin', 'two')]
  const catalog = [
    { type: 'identity', endpoints },
    { type: 'object-store', endpoints },
  ]

  it.each([
    ['public', undefined, 'public.one'],
    ['public', 'two', 'public.two'],
    ['admin', undefined, 'admin.two'],
    ['internal', undefined, undefined],
    ['public', 'three', undefined],
  ] as const)('has for %s in region %s: %s', (kind, region, url) => {
    expect(endpointOf(catalog, { serviceType: 'object-store', interface: kind, region })).toBe(url)
  })
})
