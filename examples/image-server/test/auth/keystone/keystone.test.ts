import { describe, expect, it } from 'vitest'
import { asking, bearing, confirm, keystoneDouble } from './double.ts'

const unavailable = expect.objectContaining({ status: 503, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } })

describe('tokens and Keystone', () => {
  it('asks once for all who bring the same token at the same time', async () => {
    const held: (() => void)[] = []
    const keystone = await keystoneDouble((_subject, response) => held.push(() => confirm(response)))
    const { auth } = asking(keystone.url)
    const answers = Array.from({ length: 20 }, () => auth.identify(bearing('same')))
    await expect.poll(() => held.length).toBe(1)
    held[0]?.()
    expect(new Set((await Promise.all(answers)).map((identity) => identity?.user))).toEqual(new Set(['u']))
    expect(keystone.seen).toEqual(['POST', 'same'])
  })

  it('asks again when a token was believed in for long enough, or comes to its end', async () => {
    const keystone = await keystoneDouble((_subject, response) => confirm(response))
    const { auth, clock } = asking(keystone.url)
    for (const step of [0, 59_000, 2_000]) {
      clock.now += step
      await auth.identify(bearing('t'))
    }
    expect(keystone.seen.filter((seen) => seen === 't')).toHaveLength(2)
    clock.now += 3_600_000 - 61_000 - 4_000 // seconds before the end
    await auth.identify(bearing('t'))
    await auth.identify(bearing('t'))
    expect(keystone.seen.filter((seen) => seen === 't')).toHaveLength(4)
  })

  it('asks about every request where nothing may be remembered', async () => {
    const keystone = await keystoneDouble((_subject, response) => confirm(response))
    const { auth } = asking(keystone.url, { cacheMs: 0 })
    for (let time = 0; time < 3; time++) await auth.identify(bearing('t'))
    expect(keystone.seen.filter((seen) => seen === 't')).toHaveLength(3)
  })

  it('remembers for a moment that a token is not valid, without forgetting the valid ones', async () => {
    const keystone = await keystoneDouble((subject, response) =>
      subject.startsWith('made-up') ? response.writeHead(404).end() : confirm(response),
    )
    const { auth, clock } = asking(keystone.url, { cacheSize: 3 })
    await auth.identify(bearing('real'))
    for (let n = 0; n < 10; n++) expect(await auth.identify(bearing(`made-up-${n}`))).toBeUndefined()
    await auth.identify(bearing('made-up-9'))
    await auth.identify(bearing('real'))
    expect(keystone.seen).toHaveLength(1 + 1 + 10)
    clock.now += 11_000
    await auth.identify(bearing('made-up-9'))
    expect(keystone.seen).toHaveLength(13)
  })

  it.each([
    ['nothing', ''],
    ['blanks', 'a b'],
    ['more than any token has', 'x'.repeat(2049)],
    ['other characters', 'tök'],
  ])('does not even ask about a token of %s', async (_what, token) => {
    const keystone = await keystoneDouble((_subject, response) => confirm(response))
    const { auth } = asking(keystone.url)
    expect(await auth.identify(bearing(token))).toBeUndefined()
    expect(keystone.seen).toEqual([])
  })

  it('logs in anew when Keystone refuses its own token, and then asks again', async () => {
    const own: string[] = []
    const keystone = await keystoneDouble((_subject, response, request) => {
      own.push(String(request.headers['x-auth-token']))
      if (own.length === 1) response.writeHead(401).end()
      else confirm(response)
    })
    const { auth } = asking(keystone.url)
    expect(await auth.identify(bearing('t'))).toMatchObject({ user: 'u' })
    expect(new Set(own).size).toBe(2)
    expect(keystone.seen).toEqual(['POST', 't', 'POST', 't'])
  })

  it('replaces its own token before that ends', async () => {
    const keystone = await keystoneDouble((_subject, response) => confirm(response))
    const { auth, clock } = asking(keystone.url, { cacheMs: 0 })
    await auth.identify(bearing('t'))
    clock.now += 3_600_000 - 59_000
    await auth.identify(bearing('t'))
    expect(keystone.seen).toEqual(['POST', 't', 'POST', 't'])
  })

  it('sends no token to where Keystone redirects (S-65)', async () => {
    const elsewhere = await keystoneDouble((_subject, response) => confirm(response))
    const keystone = await keystoneDouble((_subject, response) =>
      response.writeHead(307, { location: `${elsewhere.url}/v3/auth/tokens` }).end(),
    )
    const { auth } = asking(keystone.url)
    await expect(auth.identify(bearing('t'))).rejects.toEqual(unavailable)
    expect([elsewhere.seen, elsewhere.connections()]).toEqual([[], 0])
  })

  it('refuses tokens that are bound to a connection', async () => {
    const keystone = await keystoneDouble((_subject, response) => confirm(response, { bind: { kerberos: 'x' } }))
    expect(await asking(keystone.url).auth.identify(bearing('t'))).toBeUndefined()
  })
})

describe('Keystone in trouble', () => {
  it.each([403, 429, 500, 502, 503, 302])(
    'that answers %i makes the server unavailable: it is no 401',
    async (status) => {
      const keystone = await keystoneDouble((_subject, response) => response.writeHead(status).end())
      const { auth } = asking(keystone.url)
      await expect(auth.identify(bearing('t'))).rejects.toEqual(unavailable)
    },
  )

  it.each(['', '<html>', '{"token":{}}'])('that answers 200 and %j makes it unavailable', async (text) => {
    const keystone = await keystoneDouble((_subject, response) => response.writeHead(200).end(text))
    await expect(asking(keystone.url).auth.identify(bearing('t'))).rejects.toEqual(unavailable)
  })

  it('that goes on for ever with its answer is cut off', async () => {
    const keystone = await keystoneDouble((_subject, response) => {
      response.writeHead(200)
      const more = (): void => void (response.destroyed || response.write('x'.repeat(65_536), more))
      more()
    })
    await expect(asking(keystone.url).auth.identify(bearing('t'))).rejects.toEqual(unavailable)
  })

  it('that stays silent, before or within its answer, is given up in time', async () => {
    for (const begin of [() => {}, (response: { write(text: string): void }) => response.write('{')]) {
      const keystone = await keystoneDouble((_subject, response) => begin(response))
      const { auth } = asking(keystone.url, { timeoutMs: 100 })
      await expect(auth.identify(bearing('t'))).rejects.toEqual(unavailable)
    }
  })

  it('is left alone after some failures, and asked by one when the pause is over', async () => {
    let works = false
    const keystone = await keystoneDouble((_subject, response) => {
      if (works) confirm(response)
      else response.writeHead(503).end()
    })
    const { auth, clock, log } = asking(keystone.url)
    for (let n = 0; n < 50; n++) await expect(auth.identify(bearing(`t${n}`))).rejects.toEqual(unavailable)
    expect(keystone.seen).toEqual(['POST', 't0', 't1', 't2'])
    works = true
    clock.now += 1_000
    expect(await auth.identify(bearing('t'))).toMatchObject({ user: 'u' })
    expect(log).toEqual(['error: keystone: answered 503', 'info: keystone: answers again'])
  })

  it('still leaves those in who were let in a moment ago', async () => {
    let works = true
    const keystone = await keystoneDouble((_subject, response) => (works ? confirm(response) : response.destroy()))
    const { auth } = asking(keystone.url)
    await auth.identify(bearing('known'))
    works = false
    for (let n = 0; n < 5; n++) await auth.identify(bearing(`t${n}`)).catch(() => {})
    expect(await auth.identify(bearing('known'))).toMatchObject({ user: 'u' })
  })

  it('that fails at one token only goes on being asked about others', async () => {
    const keystone = await keystoneDouble((subject, response) =>
      subject === 'bad' ? response.writeHead(500).end() : confirm(response),
    )
    const { auth } = asking(keystone.url)
    for (let n = 0; n < 5; n++) await auth.identify(bearing('bad')).catch(() => {})
    expect(await auth.identify(bearing('good'))).toMatchObject({ user: 'u' })
  })

  it('that refuses the login of the server is not tried again for a while, and no answer tells the password', async () => {
    const keystone = await keystoneDouble(
      (_subject, response) => confirm(response),
      (_subject, response) => response.writeHead(401).end('secret-of-the-server'),
    )
    const { auth, clock, log } = asking(keystone.url)
    const failures: unknown[] = []
    for (let n = 0; n < 5; n++) await auth.identify(bearing(`t${n}`)).catch((error: unknown) => failures.push(error))
    expect(failures[4]).toMatchObject({ status: 503, headers: { 'retry-after': '30' } })
    clock.now += 29_000
    await auth.identify(bearing('t')).catch(() => {})
    expect(keystone.seen).toEqual(['POST'])
    expect(log).toEqual(['error: keystone: refuses the credentials of this server'])
    expect(JSON.stringify(failures.map((error) => [error, String(error), (error as Error).cause]))).not.toContain(
      'secret',
    )
  })

  it('is asked on a connection that is kept, and on a new one when that is dead', async () => {
    const keystone = await keystoneDouble((subject, response, request) => {
      if (subject === 'dead' && request.socket.listenerCount('reused') > 0) request.socket.resetAndDestroy()
      else confirm(response)
      request.socket.on('reused', () => {})
    })
    const { auth } = asking(keystone.url, { cacheMs: 0 })
    await auth.identify(bearing('a'))
    await auth.identify(bearing('b'))
    expect(keystone.connections()).toBe(1)
    expect(await auth.identify(bearing('dead'))).toMatchObject({ user: 'u' })
    expect(keystone.connections()).toBe(2)
  })

  it('is left in peace by a server that stops', async () => {
    const keystone = await keystoneDouble(() => {})
    const { auth } = asking(keystone.url)
    const asked = auth.identify(bearing('t'))
    await expect.poll(() => keystone.seen.length).toBe(2)
    auth.close?.()
    await expect(asked).rejects.toEqual(unavailable)
  })
})
