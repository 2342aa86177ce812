import type { IncomingMessage } from 'node:http'
import type { KeystoneCredentials } from '@mullion/swift'
import { ApiError } from '../../errors.ts'
import { type Authenticator, type Identity, tokenIn } from '../identity.ts'
import { isAllowed } from './access-rules.ts'
import { KeystoneUnavailable } from './breaker.ts'
import type { KeystoneToken } from './token.ts'
import { createTransport } from './transport.ts'
import { createValidation, type Validation } from './validation.ts'

export interface KeystoneSettings {
  /** With or without `/v3`. */
  readonly url: string
  /** Where clients are told to get a token. Default: `url`. */
  readonly publicUrl?: string | undefined
  readonly credentials: KeystoneCredentials
  /** PEM of authorities to trust beside the usual ones. */
  readonly ca?: string | undefined
  readonly timeoutMs: number
  readonly cacheMs: number
  readonly cacheSize: number
  /** Type of this service in the catalog, which access rules name. */
  readonly serviceType: string
  /** A token with one of these roles is that of a service, and may vouch for a user's that has expired. */
  readonly serviceRoles: readonly string[]
  readonly adminRole: string
  readonly log?: (level: 'info' | 'error', message: string) => void
}

/** Validates tokens with Keystone, as keystonemiddleware's auth_token does with a delayed decision. */
export function keystone(settings: KeystoneSettings, now: () => number = Date.now): Authenticator {
  const { url, publicUrl = url, log = () => {} } = settings
  const transport = createTransport(settings)
  const validation = createValidation({
    ...settings,
    ask: transport.ask,
    now,
    onChange: (state, why) => log(state === 'open' ? 'error' : 'info', why),
  })
  return {
    async identify(request) {
      try {
        return await identityOf(request, validation, settings)
      } catch (error) {
        throw error instanceof KeystoneUnavailable ? unavailable(error) : error
      }
    },
    challenge: () => `Keystone uri='${publicUrl}'`,
    close: () => transport.close(),
  }
}

/** Who would not be told so could not know that waiting helps, and a new token does not. */
function unavailable(cause: KeystoneUnavailable): ApiError {
  const seconds = Math.ceil(Math.max(cause.pauseMs ?? 0, 1_000) / 1000)
  return new ApiError(503, 'The Keystone service is temporarily unavailable.', {
    headers: { 'retry-after': String(seconds) },
    cause,
  })
}

async function identityOf(
  request: IncomingMessage,
  validation: Validation,
  settings: KeystoneSettings,
): Promise<Identity | undefined> {
  const { headers } = request
  const value = tokenIn(headers, 'x-auth-token', 'x-storage-token')
  if (value === undefined) return undefined
  const expired = await isService(tokenIn(headers, 'x-service-token'), validation, settings)
  const token = await validation.find(value, { expired })
  if (!token || token.isBound) return undefined
  if (!expired && !mayAsk(token, request, settings)) return undefined
  const { user, tenant, roles } = token
  return { user, tenant, roles }
}

async function isService(
  value: string | undefined,
  validation: Validation,
  { serviceRoles }: KeystoneSettings,
): Promise<boolean> {
  const token = value === undefined ? undefined : await validation.find(value)
  return token !== undefined && !token.isBound && token.roles.some((role) => serviceRoles.includes(role))
}

function mayAsk(
  { accessRules, serviceTypes }: KeystoneToken,
  { method = '', url = '' }: IncomingMessage,
  { serviceType }: KeystoneSettings,
): boolean {
  if (accessRules === undefined) return true
  return serviceTypes.includes(serviceType) && isAllowed(accessRules, { method, url, serviceType })
}
