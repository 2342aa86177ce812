import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { ApiError } from '../errors.ts'
import { decodeOctets } from '../plugins/octets.ts'
import type { Authenticator, Identity } from './identity.ts'

/** Believes the identity headers: a proxy must have set them, and nobody else may reach the server. */
export const trustedHeaders: Authenticator = {
  async identify(request) {
    return identityOf(request)
  },
  challenge: () => undefined,
}

const STATUS = 'x-identity-status'
const USER = ['x-user-id', 'x-user']
const TENANT = ['x-project-id', 'x-tenant-id', 'x-tenant']
const ROLES = ['x-roles', 'x-role']
const CATALOG = 'x-service-catalog'
/** Names of one value. Not among them: X-User and X-Tenant, which keystonemiddleware sets to names beside the ids. */
const ALIASES = [['x-project-id', 'x-tenant-id'], ROLES] as const
const READ: ReadonlySet<string> = new Set([STATUS, ...USER, ...TENANT, ...ROLES, CATALOG])

/** glance/api/middleware/context.py: the first header that is there counts, empty or not. */
function identityOf({ headers, rawHeaders }: IncomingMessage): Identity | undefined {
  if (headers[STATUS] !== 'Confirmed') return undefined
  refuseRepeated(rawHeaders)
  for (const names of ALIASES) refuseDifferent(headers, names)
  checkCatalog(first(headers, [CATALOG]))
  return { user: first(headers, USER), tenant: first(headers, TENANT), roles: (first(headers, ROLES) ?? '').split(',') }
}

/** A proxy that adds its headers to those of the client would let clients be whoever they like. */
function refuseRepeated(rawHeaders: readonly string[]): void {
  const seen = new Set<string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase()
    if (READ.has(name) && seen.has(name)) throw new ApiError(400, `${name}: sent more than once`)
    seen.add(name)
  }
}

/** keystonemiddleware auth_token/_request.py (_DEPRECATED_HEADER_MAP) sends both with one value: another is the client's. */
function refuseDifferent(headers: IncomingHttpHeaders, names: readonly string[]): void {
  const values = names.map((name) => headers[name]).filter((value) => value !== undefined)
  if (new Set(values).size > 1) throw new ApiError(400, `${names.join(', ')}: the values differ`)
}

/** Only the spelling with hyphens: a proxy that strips `X-Roles` may let `X_Roles` pass. */
function first(headers: IncomingHttpHeaders, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = headers[name]
    if (typeof value === 'string') return decodeOctets(value)
  }
  return undefined
}

function checkCatalog(text: string | undefined): void {
  if (text === undefined) return
  try {
    JSON.parse(text)
  } catch (cause) {
    throw new ApiError(400, 'Invalid service catalog json.', { cause })
  }
}
