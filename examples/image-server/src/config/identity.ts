import type { KeystoneCredentials, Named } from '@mullion/swift'
import { pipelineOf } from '../pipeline/pipeline.ts'
import { digestOf, type StaticToken } from '../auth/tokens.ts'
import type { Config } from './config.ts'
import { refusal } from './document.ts'
import type { KeystoneConfig } from './sections/keystone.ts'

type Resolve = (text: string | undefined, ...path: readonly string[]) => string | undefined

/** The sections that hold secrets of logins, with what those refer to. */
export function identitySecrets({ auth, keystone }: Config, resolve: Resolve): Pick<Config, 'auth' | 'keystone'> {
  const tokens = auth.tokens.map((entry) => ({ ...entry, token: resolve(entry.token, 'auth', 'tokens') }))
  const [password, applicationCredentialSecret] = (['password', 'applicationCredentialSecret'] as const).map((key) =>
    resolve(keystone[key], 'keystone', key),
  )
  return { auth: { ...auth, tokens }, keystone: { ...keystone, password, applicationCredentialSecret } }
}

/** Checks that whoever has to check identities can: the parts of the file that only the flavour makes necessary. */
export function checkIdentity(config: Config): void {
  const { identity } = pipelineOf(config.pipeline)
  if (identity === 'authtoken') {
    if (config.keystone.url === undefined) throw refusal('keystone.url', 'tokens cannot be validated without it')
    credentialsOf(config.keystone)
  }
  if (identity === 'tokens') tokensOf(config)
  refuseIdle(config)
}

/** Whoever sets up logins and forgets to have them asked for would serve everybody as an administrator. */
function refuseIdle({ pipeline, auth, keystone, registry }: Config): void {
  const { identity } = pipelineOf(pipeline)
  if (identity !== 'tokens' && auth.tokens.length > 0) {
    throw refusal('auth.tokens', 'nobody is asked for them: set pipeline.flavour to one of tokens…, or remove them')
  }
  if (identity !== 'authtoken' && keystone.url !== undefined && registry.auth !== 'keystone') {
    throw refusal(
      'keystone.url',
      'nobody is asked for its tokens: set pipeline.flavour to one of keystone…, or remove it',
    )
  }
}

/** The tokens by their digests. Throws `invalid_config` where there is none, or one that could be guessed. */
export function tokensOf({ auth: { tokens } }: Config): readonly StaticToken[] {
  if (tokens.length === 0) throw refusal('auth.tokens', 'nobody could log in: add a table [[auth.tokens]]')
  const known = tokens.map(({ token, sha256, user, tenant, roles }, index) => {
    if (token !== undefined && !/^[\x21-\x7e]{20,2048}$/.test(token)) {
      throw refusal(
        `auth.tokens[${index}].token`,
        'expected at least 20 visible ASCII characters (`openssl rand -hex 32`)',
      )
    }
    return { sha256: sha256 ?? digestOf(token ?? ''), user, tenant, roles }
  })
  const digests = known.map(({ sha256 }) => sha256)
  const repeated = digests.findIndex((digest, at) => digests.indexOf(digest) !== at)
  if (repeated >= 0) throw refusal(`auth.tokens[${repeated}]`, 'the same token as in a table before it')
  return known
}

/** Throws `invalid_config` unless the keys make exactly one login. */
export function credentialsOf(config: KeystoneConfig): KeystoneCredentials {
  const { password, applicationCredentialSecret: secret } = config
  if (password !== undefined && secret === undefined) {
    const { project, projectId, projectDomain, projectDomainId } = config
    const scope = named('project', project, projectId, projectDomain, projectDomainId)
    return { kind: 'password', user: userOf(config), password, project: scope }
  }
  if (password !== undefined || secret === undefined) {
    throw refusal('keystone', 'expected either password or application_credential_secret')
  }
  const { applicationCredentialId: id, applicationCredentialName: name } = config
  if (id !== undefined && name === undefined) return { kind: 'applicationCredential', id, secret }
  if (id !== undefined || name === undefined) {
    throw refusal('keystone', 'expected either application_credential_id or application_credential_name')
  }
  return { kind: 'applicationCredential', name, user: userOf(config), secret }
}

function userOf({ user, userId, userDomain, userDomainId }: KeystoneConfig): Named {
  return named('user', user, userId, userDomain, userDomainId)
}

function named(key: string, name?: string, id?: string, domain?: string, domainId?: string): Named {
  if ((name === undefined) === (id === undefined)) throw refusal('keystone', `expected either ${key} or ${key}_id`)
  if (id !== undefined) return { id }
  return { name: name ?? '', domain: domain === undefined ? { id: domainId ?? 'default' } : { name: domain } }
}
