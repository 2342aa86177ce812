import { type KeystoneCredentials, keystoneIssuer, keystoneLookup, type Named } from './auth/keystone.ts'
import { createSession, type Session } from './auth/session.ts'
import type { IssueToken } from './auth/token.ts'
import { v1Issuer } from './auth/v1.ts'
import type { Client } from './client.ts'
import type { SwiftAuth, SwiftSettings } from './config.ts'

/** The session of a configuration; its token is the store's own. */
export function sessionOf(
  auth: SwiftAuth,
  client: Client,
  { renewBeforeMs }: Pick<SwiftSettings, 'renewBeforeMs'>,
  now: () => number,
): Session {
  const issue = issuerOf(auth, now)
  return createSession({
    issue: () => issue(client.askIdentity),
    now,
    renewBeforeMs,
    renewable: auth.type !== 'token',
  })
}

function issuerOf(auth: SwiftAuth, now: () => number): IssueToken {
  switch (auth.type) {
    case 'v1':
      return v1Issuer(auth.url, auth.user, auth.key, now)
    case 'token':
      return auth.url === undefined
        ? async () => ({ value: auth.token, expiresAt: undefined, catalog: [], storageUrl: undefined })
        : keystoneLookup(auth.url, auth.token, now)
    default:
      return keystoneIssuer(auth.url, credentialsOf(auth), now)
  }
}

function credentialsOf(auth: Exclude<SwiftAuth, { readonly type: 'v1' | 'token' }>): KeystoneCredentials {
  const user = named(auth.userId, auth.user, auth.userDomainId, auth.userDomain)
  if (auth.type === 'password') {
    const project = named(auth.projectId, auth.project, auth.projectDomainId, auth.projectDomain)
    return { kind: 'password', user, password: auth.password, project }
  }
  const { id, name = '', secret } = auth
  return id === undefined
    ? { kind: 'applicationCredential', name, user, secret }
    : { kind: 'applicationCredential', id, secret }
}

function named(
  id: string | undefined,
  name: string | undefined,
  domainId: string | undefined,
  domain: string | undefined,
): Named {
  if (id !== undefined) return { id }
  return { name: name ?? '', domain: domain === undefined ? { id: domainId ?? 'default' } : { name: domain } }
}
