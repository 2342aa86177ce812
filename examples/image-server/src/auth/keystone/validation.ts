import { createHash } from 'node:crypto'
import {
  type AskIdentity,
  createSession,
  type IdentityAnswer,
  type KeystoneCredentials,
  keystoneIssuer,
} from '@mullion/swift'
import { isMullionError } from 'mullion'
import { type BreakerOptions, createBreaker, KeystoneUnavailable } from './breaker.ts'
import { boundedCache } from './cache.ts'
import { type KeystoneToken, readToken } from './token.ts'

export interface ValidationOptions extends Pick<BreakerOptions, 'onChange'> {
  readonly ask: AskIdentity
  /** Of Keystone, with or without `/v3`. */
  readonly url: string
  /** Who asks: a user who may validate tokens. */
  readonly credentials: KeystoneCredentials
  /** How long a token is believed in without asking again, and so how long a revoked one may work; 0 for never. */
  readonly cacheMs: number
  /** Tokens remembered at most, and as many that are known to be invalid. */
  readonly cacheSize: number
  /** Loses its meaning outside of Keystone's admin project. */
  readonly adminRole: string
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

export interface Validation {
  /**
   * What is known of a token, undefined when it is not valid (any more). With `expired`, one that has expired lately is
   * valid too. Rejects KeystoneUnavailable.
   */
  find(token: string, options?: { readonly expired?: boolean }): Promise<KeystoneToken | undefined>
}

const RENEW_BEFORE_MS = 60_000
const INVALID_MS = 10_000
/** Clocks differ: this close to its end Keystone is asked each time whether a token has ended. */
const SKEW_MS = 5_000
/** Different tokens being asked about at the same time. */
const MAX_PENDING = 256

/** Asks Keystone about tokens: once for all who bring the same one, and not again for a while. */
export function createValidation(options: ValidationOptions): Validation {
  const { now, cacheMs, cacheSize } = options
  const valid = boundedCache<KeystoneToken>(cacheSize, now)
  const invalid = boundedCache<true>(cacheSize, now) // apart: whoever makes tokens up must not push out real ones
  const pending = new Map<string, Promise<KeystoneToken | undefined>>()
  const breaker = createBreaker(options)
  const lookUp = lookUpOf(options)

  async function asked(key: string, value: string, expired: boolean): Promise<KeystoneToken | undefined> {
    const token = await breaker.run(() => lookUp(value, expired))
    if (!token) invalid.set(key, true, now() + Math.min(INVALID_MS, cacheMs))
    else valid.set(key, token, Math.min(now() + cacheMs, expired ? Infinity : token.expiresAt - SKEW_MS))
    return token
  }

  return {
    async find(value, { expired = false } = {}) {
      const key = createHash('sha256').update(`${expired} ${value}`).digest('base64')
      const known = valid.get(key)
      if (known || invalid.get(key)) return known
      const running = pending.get(key)
      if (running) return running
      if (pending.size >= MAX_PENDING)
        throw new KeystoneUnavailable('keystone: too many questions at once', { isDown: false })
      const answer = asked(key, value, expired).finally(() => pending.delete(key))
      pending.set(key, answer)
      return answer
    },
  }
}

type LookUp = (token: string, expired: boolean) => Promise<KeystoneToken | undefined>

/** Asks with the server's own token, which is replaced before it ends, and once more when Keystone refuses it. */
function lookUpOf({ ask, url, credentials, adminRole, now }: ValidationOptions): LookUp {
  const tokens = `${url.replace(/(?:\/v3)?\/*$/, '')}/v3/auth/tokens`
  const issue = keystoneIssuer(url, credentials, now)
  const session = createSession({
    issue: () => issue(ask).catch(refusedLogin),
    now,
    renewBeforeMs: RENEW_BEFORE_MS,
    renewable: true,
  })

  async function validated(token: string, expired: boolean, isRepeated: boolean): Promise<IdentityAnswer> {
    const own = await session.token()
    const answer = await ask({
      method: 'GET',
      url: expired ? `${tokens}?allow_expired=1` : tokens,
      headers: {
        accept: 'application/json',
        'x-auth-token': own.value,
        'x-subject-token': token,
        // without it Keystone hides tokens that have access rules (keystone/models/token_model.py)
        'openstack-identity-access-rules': '1.0',
      },
    })
    if (answer.status !== 401) return answer
    session.refused(own)
    return isRepeated ? answer : validated(token, expired, true)
  }

  return async (token, expired) => {
    const answer = await validated(token, expired, false)
    if (answer.status === 200) return readToken(answer.text, adminRole)
    if (REFUSED.has(answer.status)) return undefined
    throw failureOf(answer)
  }
}

/** Not known, or nothing that could be a token: what a server says of a header that it cannot take. */
const REFUSED: ReadonlySet<number> = new Set([400, 404, 414, 431])

function failureOf({ status, header }: IdentityAnswer): KeystoneUnavailable {
  if (status === 403) return new KeystoneUnavailable('keystone: the user of this server may not validate tokens')
  const seconds = header('retry-after') ?? ''
  const pauseMs = /^\d{1,6}$/.test(seconds) ? Number(seconds) * 1000 : undefined
  // a 500 may be about this token alone, and whoever sent it must not shut out the others
  return new KeystoneUnavailable(`keystone: answered ${status}`, { pauseMs, isDown: status !== 500 })
}

/** How long wrong credentials are left alone: Keystone may lock users out who fail to log in. */
const WRONG_LOGIN_MS = 30_000

function refusedLogin(error: unknown): never {
  if (!isMullionError(error)) throw error
  if (error.code !== 'unauthenticated') throw new KeystoneUnavailable(`keystone: cannot log in: ${error.code}`)
  throw new KeystoneUnavailable('keystone: refuses the credentials of this server', { pauseMs: WRONG_LOGIN_MS })
}
