import type { AccessRule } from './access-rules.ts'
import { KeystoneUnavailable } from './breaker.ts'

/** What the server needs to know of a token. */
export interface KeystoneToken {
  readonly user: string
  readonly tenant: string | undefined
  readonly roles: readonly string[]
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  /** Undefined: the token may be used for everything. */
  readonly accessRules: readonly AccessRule[] | undefined
  /** Types of the services in the catalog of a token with access rules. */
  readonly serviceTypes: readonly string[]
  /** The token belongs to a connection (Kerberos), which cannot be checked here. */
  readonly isBound: boolean
}

interface TokenDocument {
  readonly user?: { readonly id?: unknown }
  readonly project?: { readonly id?: unknown }
  readonly system?: unknown
  readonly roles?: unknown
  readonly expires_at?: unknown
  readonly is_admin_project?: unknown
  readonly bind?: unknown
  readonly application_credential?: { readonly access_rules?: unknown }
  readonly catalog?: unknown
}

/**
 * Reads the answer to a validation (Identity API v3, "Validate and show information for token"). Roles that were given in
 * a domain say nothing about images: only those of a project or of the whole system count. Where Keystone names an admin
 * project, `adminRole` means something in that one only. Throws KeystoneUnavailable for what is no token.
 */
export function readToken(text: string, adminRole: string): KeystoneToken {
  const document = parsed(text)
  const user = document.user?.id
  const tenant = document.project?.id
  const expiresAt = Date.parse(String(document.expires_at))
  if (typeof user !== 'string' || Number.isNaN(expiresAt)) throw new KeystoneUnavailable('keystone: answers no token')
  const accessRules = rulesOf(document.application_credential?.access_rules)
  const hasScope = typeof tenant === 'string' || document.system !== undefined
  const roles = hasScope ? textsOf(document.roles, 'name') : []
  return {
    user,
    tenant: typeof tenant === 'string' ? tenant : undefined,
    roles: document.is_admin_project === false ? roles.filter((role) => !isSame(role, adminRole)) : roles,
    expiresAt,
    accessRules,
    serviceTypes: accessRules === undefined ? [] : textsOf(document.catalog, 'type'),
    isBound: Object.keys(Object(document.bind) as object).length > 0,
  }
}

function parsed(text: string): TokenDocument {
  try {
    const { token } = JSON.parse(text) as { readonly token?: unknown }
    return Object(token) as TokenDocument
  } catch {
    throw new KeystoneUnavailable('keystone: answers no JSON')
  }
}

/** What is there but cannot be read allows nothing. */
function rulesOf(value: unknown): readonly AccessRule[] | undefined {
  if (value === undefined || value === null) return undefined
  return Array.isArray(value) ? value.filter(isRule) : []
}

function isRule(value: unknown): value is AccessRule {
  const { method, path, service } = Object(value) as Record<string, unknown>
  return [method, path, service].every((part) => typeof part === 'string')
}

function textsOf(list: unknown, key: string): readonly string[] {
  const texts = (Array.isArray(list) ? list : []).map((item) => (Object(item) as Record<string, unknown>)[key])
  return texts.filter((text) => typeof text === 'string')
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase()
}
