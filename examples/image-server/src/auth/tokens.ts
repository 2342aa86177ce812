import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { type Authenticator, type Identity, tokenIn } from './identity.ts'

/** A token that stays the same, and who its bearer is. */
export interface StaticToken extends Identity {
  /** SHA-256 of the token, lower-case hex. */
  readonly sha256: string
}

/** Knows a fixed set of tokens, sent as `Authorization: Bearer` (RFC 6750 §2.1) or `X-Auth-Token`. */
export function staticTokens(tokens: readonly StaticToken[]): Authenticator {
  const known = tokens.map(({ sha256, ...identity }) => ({ digest: Buffer.from(sha256, 'hex'), identity }))
  return {
    async identify({ headers }) {
      const token = tokenOf(headers)
      if (token === undefined) return undefined
      const digest = createHash('sha256').update(token).digest()
      // all of them are compared, so that the time tells nothing of which one it was
      return known.filter((entry) => timingSafeEqual(entry.digest, digest))[0]?.identity
    },
    challenge: ({ headers }) =>
      `Bearer realm="images"${tokenOf(headers) === undefined ? '' : ', error="invalid_token"'}`,
  }
}

export function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

/** `Authorization` first: another scheme than Bearer in it is a proxy's business. */
function tokenOf(headers: IncomingHttpHeaders): string | undefined {
  const [, bearer] = /^bearer +([\x21-\x7e]+) *$/i.exec(headers.authorization ?? '') ?? []
  return bearer ?? tokenIn(headers, 'x-auth-token', 'x-storage-token')
}
