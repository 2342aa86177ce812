import { type Account, createAccount } from './account.ts'
import type { Client } from './client.ts'
import type { SwiftAuth, SwiftSettings } from './config.ts'
import { holdsImages } from './containers.ts'
import { sessionOf } from './credentials.ts'
import { badLocation } from './errors.ts'
import type { CredentialLocation, SwiftLocation } from './location.ts'
import type { ObjectPlace } from './objects.ts'

/** Which account a location lies in, and whether the store may go there at all. */
export interface Places {
  /** What can be said without asking a server. */
  owns(at: SwiftLocation): boolean
  /** Rejects `invalid_location` for what is not the store's, and what authentication rejects with. */
  locate(at: SwiftLocation, signal: AbortSignal): Promise<{ readonly account: Account; readonly place: ObjectPlace }>
}

/** Accounts of locations with credentials that are kept for the next read. */
const MAX_LEGACY = 32

export function placesOf(settings: SwiftSettings, client: Client, own: Account, now: () => number): Places {
  const { auth, formerStorageUrls, legacyAuthUrls, multiTenant } = settings
  const authUrls = [...legacyAuthUrls, ...(auth.url === undefined ? [] : [auth.url])].map(withoutVersion)
  const legacy = new Map<string, Account>()

  /** Undefined as long as the identity service has not said where the account lies. */
  function isOurUrl(url: string): boolean | undefined {
    if (formerStorageUrls.includes(url)) return true
    const known = own.knownStorageUrl()
    return known === undefined ? undefined : url === known || (multiTenant && siblingsOf(known) === siblingsOf(url))
  }

  function owns(at: SwiftLocation): boolean {
    if (!holdsImages(settings, at.container)) return false
    if (at.form === 'reference') return at.reference === settings.reference
    if (at.form === 'credentials') return authUrls.includes(withoutVersion(at.authUrl))
    return isOurUrl(at.storageUrl) ?? true
  }

  async function accountOf(at: SwiftLocation, signal: AbortSignal): Promise<Account> {
    if (at.form === 'reference') return own
    if (at.form === 'credentials') return isOwnUser(auth, at) ? own : legacyAccount(at)
    const known = await own.storageUrl(signal)
    if (isOurUrl(at.storageUrl) !== true) throw badLocation('it lies in another account')
    if (at.storageUrl === known || formerStorageUrls.includes(at.storageUrl)) return own
    const { storageUrl } = at
    return createAccount(client, sessionOf(auth, client, settings, now), { ...settings, storageUrl })
  }

  function legacyAccount(at: CredentialLocation): Account {
    const name = JSON.stringify([at.authUrl, at.user, at.key])
    const account =
      legacy.get(name) ?? createAccount(client, sessionOf(authOf(auth, at), client, settings, now), settings)
    legacy.delete(name)
    legacy.set(name, account)
    const [oldest] = legacy.keys()
    if (legacy.size > MAX_LEGACY && oldest !== undefined) legacy.delete(oldest)
    return account
  }

  return {
    owns,
    async locate(at, signal) {
      if (!owns(at)) throw badLocation('it lies outside the store')
      return { account: await accountOf(at, signal), place: at }
    },
  }
}

/** Accounts of one cluster have one storage URL but for its last segment. */
function siblingsOf(storageUrl: string): string {
  return storageUrl.slice(0, storageUrl.lastIndexOf('/') + 1)
}

/** Glance wrote the address as it was configured, with or without a version. */
function withoutVersion(url: string): string {
  return url.replace(/^https?:/, '').replace(/\/(v1|v1\.0|v2\.0|v3)?\/?$/, '')
}

function isOwnUser(auth: SwiftAuth, { user, key }: CredentialLocation): boolean {
  if (auth.type === 'v1') return auth.user === user && auth.key === key
  return auth.type === 'password' && `${auth.project}:${auth.user}` === user && auth.password === key
}

/** Credentials of a location, used the way the store's own are. */
function authOf(auth: SwiftAuth, { authUrl, user, key }: CredentialLocation): SwiftAuth {
  if (auth.type === 'v1')
    return { type: 'v1', url: withoutVersion(authUrl) === withoutVersion(auth.url) ? auth.url : authUrl, user, key }
  const colon = user.indexOf(':')
  const [project, name] = [user.slice(0, colon), user.slice(colon + 1)]
  return { type: 'password', url: authUrl.replace(/\/v[12][^/]*$/, ''), user: name, password: key, project }
}
