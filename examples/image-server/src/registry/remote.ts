import { readFileSync } from 'node:fs'
import { openRemoteRegistry, type RegistryCredentials, type TokenProvider } from '@mullion/registry'
import { createSession, keystoneIssuer, type Token } from '@mullion/swift'
import { isMullionError, MullionError } from 'mullion'
import type { EncryptionKey } from 'mullion/images'
import { createTransport } from '../auth/keystone/transport.ts'
import type { Config } from '../config/config.ts'
import { refusal } from '../config/document.ts'
import { credentialsOf } from '../config/identity.ts'
import { codeOf } from '../server/failure.ts'
import type { RegistryPorts } from './context.ts'

/** Records kept elsewhere; closing ends the calls under way. */
export interface Records extends RegistryPorts, AsyncDisposable {
  close(): Promise<void>
}

/** The records in the registry that the configuration names. Connects when it is first asked. Rejects `invalid_config`. */
export async function openRemote(config: Config, encryptionKeys: readonly EncryptionKey[]): Promise<Records> {
  const {
    url = '',
    ca,
    cert,
    key,
    connectTimeout,
    timeout,
    maxConnections,
    refusePlain,
    allowPlainHttp,
  } = config.registry
  const identity = identityFor(config)
  const registry = await openRemoteRegistry({
    url,
    ca,
    cert,
    key,
    credentials: identity.credentials,
    encryptionKeys,
    refusePlain,
    allowPlainHttp,
    connectTimeoutMs: Math.ceil(connectTimeout * 1000),
    responseTimeoutMs: Math.ceil(timeout * 1000),
    maxConnections,
  }).catch((error: unknown) => {
    identity.close()
    throw isMullionError(error, 'invalid_config') ? refusal('registry', ...error.details.issues) : error
  })
  const close = async (): Promise<void> => {
    await registry.close()
    identity.close()
  }
  return { ...registry, close, [Symbol.asyncDispose]: close }
}

interface ServiceIdentity {
  readonly credentials: RegistryCredentials
  close(): void
}

function identityFor(config: Config): ServiceIdentity {
  const { auth, token = '', user, project, roles } = config.registry
  if (auth === 'keystone') return keystoneIdentity(config)
  const credentials: Readonly<Record<Exclude<typeof auth, 'keystone'>, RegistryCredentials>> = {
    none: { type: 'none' },
    token: { type: 'bearer', token },
    trusted: { type: 'trusted', user, project, roles },
  }
  return { credentials: credentials[auth], close() {} }
}

const RENEW_BEFORE_MS = 60_000

function keystoneIdentity({ keystone }: Config): ServiceIdentity {
  const { url, ca, timeout } = keystone
  if (url === undefined) throw refusal('keystone.url', 'expected the URL of Keystone, as registry.auth is "keystone"')
  const transport = createTransport({ timeoutMs: timeout * 1000, ...(ca !== undefined && { ca: certificates(ca) }) })
  const issue = keystoneIssuer(url, credentialsOf(keystone), Date.now)
  const session = createSession({
    issue: () => issue(transport.ask).catch(withoutToken),
    now: Date.now,
    renewBeforeMs: RENEW_BEFORE_MS,
    renewable: true,
  })
  let last: Token | undefined
  const provider: TokenProvider = {
    async token() {
      last = await session.token()
      return last.value
    },
    refused(value) {
      if (last?.value === value) session.refused(last)
    },
  }
  return { credentials: { type: 'provider', provider }, close: () => transport.close() }
}

function certificates(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw refusal('keystone.ca', `${file}: ${codeOf(error) ?? 'cannot be read'}`)
  }
}

/** Whose login is refused is told so once more by the next request: it may have been corrected by then. */
function withoutToken(cause: unknown): never {
  const what = 'registry: Keystone issues no token for the login of [keystone]'
  if (isMullionError(cause, 'unauthenticated')) throw new MullionError('unauthenticated', what, { details: {} })
  throw new MullionError('unavailable', what, { details: {}, cause })
}
