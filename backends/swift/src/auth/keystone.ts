import { brokenAnswer, failure, statusError } from '../errors.ts'
import type { CatalogService } from './catalog.ts'
import type { IdentityAnswer, IssueToken, Token } from './token.ts'

/** A user or project: by id, or by name within a domain. */
export type Named =
  | { readonly id: string }
  | { readonly name: string; readonly domain: { readonly id: string } | { readonly name: string } }

export type KeystoneCredentials =
  | { readonly kind: 'password'; readonly user: Named; readonly password: string; readonly project: Named }
  | { readonly kind: 'applicationCredential'; readonly id: string; readonly secret: string }
  | { readonly kind: 'applicationCredential'; readonly name: string; readonly user: Named; readonly secret: string }

/** Identity API v3, "Password authentication with scoped authorization" and "Authenticating with an Application Credential". */
export function keystoneIssuer(url: string, credentials: KeystoneCredentials, now: () => number): IssueToken {
  const body = Buffer.from(JSON.stringify({ auth: requestOf(credentials) }))
  return async (ask) => {
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const answer = await ask({ method: 'POST', url: `${v3(url)}/auth/tokens`, headers, body })
    const value = answer.header('x-subject-token')
    if (answer.status !== 201) throw refusal(answer)
    if (value === undefined) throw brokenAnswer('the identity service issued no token')
    return tokenOf(value, answer.text, now)
  }
}

/** Identity API v3, "Validate and show information for token": a token made elsewhere, with its catalog and its end. */
export function keystoneLookup(url: string, value: string, now: () => number): IssueToken {
  return async (ask) => {
    const headers = { accept: 'application/json', 'x-auth-token': value, 'x-subject-token': value }
    const answer = await ask({ method: 'GET', url: `${v3(url)}/auth/tokens`, headers })
    if (answer.status === 404) throw failure('unauthenticated', 'the identity service does not know the token', {})
    if (answer.status !== 200) throw refusal(answer)
    return tokenOf(value, answer.text, now)
  }
}

function requestOf(credentials: KeystoneCredentials): object {
  if (credentials.kind === 'password') {
    const { user, password, project } = credentials
    const identity = { methods: ['password'], password: { user: { ...user, password } } }
    return { identity, scope: { project } }
  }
  const { kind: _kind, ...rest } = credentials
  return { identity: { methods: ['application_credential'], application_credential: rest } } // its scope is its own
}

function v3(url: string): string {
  const base = url.replace(/\/+$/, '')
  return base.endsWith('/v3') ? base : `${base}/v3`
}

function refusal({ status, header }: IdentityAnswer): Error {
  return statusError({ status, retryAfter: header('retry-after'), text: '' }, 'authentication')
}

function tokenOf(value: string, text: string, now: () => number): Token {
  const token = parsed(text)
  const expiresAt = Date.parse(token.expires_at ?? '')
  return {
    value,
    expiresAt: Number.isNaN(expiresAt) ? now() + 60 * 60 * 1000 : expiresAt,
    catalog: Array.isArray(token.catalog) ? token.catalog.filter(isService) : [],
    storageUrl: undefined,
  }
}

function parsed(text: string): { readonly expires_at?: string; readonly catalog?: unknown } {
  try {
    const { token } = JSON.parse(text) as { token: { expires_at?: string; catalog?: unknown } }
    return typeof token === 'object' && token !== null ? token : {}
  } catch {
    throw brokenAnswer('the identity service answered no JSON')
  }
}

function isService(entry: unknown): entry is CatalogService {
  const { type, endpoints } = (entry ?? {}) as { type?: unknown; endpoints?: unknown }
  return typeof type === 'string' && Array.isArray(endpoints)
}
