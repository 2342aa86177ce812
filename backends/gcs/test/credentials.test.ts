import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { isMullionError } from 'mullion'
import { afterAll, describe, expect, it } from 'vitest'
import { gcsConfig } from '../src/config.ts'
import { createCredentials, type Credentials } from '../src/credentials.ts'
import { createExchange } from '../src/exchange.ts'
import { serve } from './server.ts'

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
})
const dir = mkdtempSync(join(tmpdir(), 'mullion-gcs-'))
afterAll(() => rmSync(dir, { recursive: true }))
const never = new AbortController().signal

/** Credentials whose tokens come from a server that answers so; `asked` counts. */
async function withTokens(
  answer: RequestListener,
  use: (credentials: Credentials, asked: () => number, close: () => void) => Promise<void>,
): Promise<void> {
  let asked = 0
  await using server = await serve((request, response) => {
    asked += 1
    answer(request, response)
  })
  const key = { type: 'service_account', client_email: 'robot@example.com', private_key: privateKey }
  await withKey({ ...key, token_uri: `${server.url.href}token` }, (credentials, close) =>
    use(credentials, () => asked, close),
  )
}

async function withKey(
  credentials: Record<string, unknown>,
  use: (credentials: Credentials, close: () => void) => Promise<void>,
): Promise<void> {
  const endpoint = 'http://127.0.0.1:1'
  const settings = gcsConfig.parse({ bucket: 'images', endpoint, credentials, responseTimeoutMs: 300 })
  const exchange = createExchange(settings)
  try {
    await use(await createCredentials(settings, exchange), () => exchange.close())
  } finally {
    exchange.close()
  }
}

const token = (name: string): RequestListener => {
  return (_, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ access_token: name, expires_in: 3600, token_type: 'Bearer' }))
  }
}

const refusing = (status: number, error: string): RequestListener => {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error, error_description: `assertion hunter2` }))
  }
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('credentials', () => {
  it('ask for a token once and keep it', () =>
    withTokens(token('one'), async (credentials, asked) => {
      const all = await Promise.all([credentials.headers(never), credentials.headers(never)])
      expect(all).toEqual([{ authorization: 'Bearer one' }, { authorization: 'Bearer one' }])
      await credentials.headers(never)
      expect(asked()).toBe(1)
    }))

  it('ask for a new token when the service refuses the old one, once for all who were refused', () => {
    let count = 0
    return withTokens(
      (request, response) => {
        count += 1
        token(`number ${count}`)(request, response)
      },
      async (credentials, asked) => {
        const old = await credentials.headers(never)
        await credentials.renew(old)
        expect(await credentials.headers(never)).toEqual({ authorization: 'Bearer number 2' })
        await credentials.renew(old)
        expect(await credentials.headers(never)).toEqual({ authorization: 'Bearer number 2' })
        expect(asked()).toBe(2)
      },
    )
  })

  it.each([
    [400, 'invalid_grant', 'unauthenticated'],
    [401, 'invalid_client', 'unauthenticated'],
    [403, 'access_denied', 'unauthenticated'],
    [429, 'slow_down', 'unavailable'],
    [500, 'server_error', 'unavailable'],
    [503, 'temporarily_unavailable', 'unavailable'],
  ])('that get %i %s from the token server are %s, without a second try and without secrets', (status, word, code) =>
    withTokens(refusing(status, word), async (credentials, asked) => {
      const error = await failureOf(credentials.headers(never))
      expect(isMullionError(error) && error.code).toBe(code)
      expect(String(error)).toContain(word)
      expect(inspect(error, { depth: 20, showHidden: true })).not.toMatch(/hunter2|assertion|PRIVATE KEY|eyJ/)
      expect(asked()).toBe(1)
    }),
  )

  it('say timeout when the token server does not answer', () =>
    withTokens(
      () => {},
      async (credentials) => {
        expect(isMullionError(await failureOf(credentials.headers(never)), 'timeout')).toBe(true)
      },
    ))

  it('say unavailable when the token server cannot be reached', () => {
    const key = { type: 'service_account', client_email: 'robot@example.com', private_key: privateKey }
    return withKey({ ...key, token_uri: 'http://127.0.0.1:1/token' }, async (credentials) => {
      const error = await failureOf(credentials.headers(never))
      expect(isMullionError(error, 'unavailable')).toBe(true)
      expect(inspect(error, { depth: 20 })).not.toContain('assertion')
    })
  })

  it.each([
    ['no key', { type: 'service_account', client_email: 'robot@example.com' }],
    ['no address', { type: 'service_account', private_key: privateKey }],
    ['a key that is none', { type: 'service_account', client_email: 'r@example.com', private_key: 'hunter2' }],
    ['nothing', {}],
  ])('with %s say unauthenticated and do not repeat them', (_, key) =>
    withKey(key, async (credentials) => {
      const error = await failureOf(credentials.headers(never))
      expect(isMullionError(error, 'unauthenticated')).toBe(true)
      expect(inspect(error, { depth: 20 })).not.toMatch(/hunter2|PRIVATE KEY/)
    }),
  )

  it('stop waiting for a token when the caller does', async () => {
    const caller = new AbortController()
    const reason = new Error('enough')
    await withTokens(
      () => caller.abort(reason),
      async (credentials) => expect(await failureOf(credentials.headers(caller.signal))).toBe(reason),
    )
  })

  it('stop waiting for a token when the store closes', async () => {
    const asked = Promise.withResolvers<void>()
    await withTokens(
      () => asked.resolve(),
      async (credentials, _, close) => {
        const waiting = failureOf(credentials.headers(never))
        await asked.promise
        close()
        expect(isMullionError(await waiting, 'closed')).toBe(true)
      },
    )
  })

  it.each([
    ['is not there', undefined],
    ['is no JSON', '{"private_key": "hunter2'],
    ['is no object', '"hunter2"'],
  ])('from a file that %s are refused at once', async (_, content) => {
    const keyFile = join(dir, 'key.json')
    rmSync(keyFile, { force: true })
    if (content !== undefined) writeFileSync(keyFile, content)
    const settings = gcsConfig.parse({ bucket: 'images', keyFile })
    const exchange = createExchange(settings)
    const error = await failureOf(createCredentials(settings, exchange))
    exchange.close()
    expect(isMullionError(error, 'invalid_config')).toBe(true)
    expect(inspect(error, { depth: 20 })).not.toContain('hunter2')
  })

  it('are none when it is anonymous', async () => {
    const settings = gcsConfig.parse({ bucket: 'images', anonymous: true })
    const exchange = createExchange(settings)
    const credentials = await createCredentials(settings, exchange)
    expect(await credentials.headers(never)).toEqual({})
    exchange.close()
  })
})
