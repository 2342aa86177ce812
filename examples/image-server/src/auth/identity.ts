import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** Who a request comes from, as somebody checked who is trusted to. */
export interface Identity {
  readonly user: string | undefined
  readonly tenant: string | undefined
  /** In any case. */
  readonly roles: readonly string[]
}

/** Finds out who sends a request. */
export interface Authenticator {
  /**
   * Undefined: the request names nobody, or nobody who can be confirmed. Rejects ApiError when that cannot be found out,
   * which is no 401. The request's `url` is the path within the API.
   */
  identify(request: IncomingMessage): Promise<Identity | undefined>
  /** `WWW-Authenticate` of an answer to a request that names nobody. */
  challenge(request: IncomingMessage): string | undefined
  /** Releases connections. */
  close?(): void
}

/** keystonemiddleware auth_token/_request.py, `_all_auth_headers`: what only a trusted front end may say. */
const IDENTITY =
  /^(?:x-(?:service-)?(?:identity-status|roles?|(?:user|project|tenant|domain)(?:-(?:domain-)?(?:id|name))?)|x-service-catalog|x-is-admin-project|openstack-system-scope)$/

/** Removes what a client may not say of itself. Underscores count as hyphens: servers of the WSGI kind fold the two. */
export function dropIdentity(headers: IncomingHttpHeaders): void {
  for (const name of Object.keys(headers)) {
    if (IDENTITY.test(name.replaceAll('_', '-'))) delete headers[name]
  }
}

/** A token is visible ASCII; what is longer no Keystone issues, and some break off at such a header. */
const TOKEN = /^[\x21-\x7e]{1,2048}$/

/** The first of these headers that is there; undefined also for what can be no token, such as two of them. */
export function tokenIn(headers: IncomingHttpHeaders, ...names: readonly string[]): string | undefined {
  const name = names.find((candidate) => headers[candidate] !== undefined) ?? ''
  const value = headers[name]
  return typeof value === 'string' && TOKEN.test(value) ? value : undefined
}
