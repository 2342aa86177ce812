import { z } from 'zod'
import { names } from './values.ts'

export interface AuthConfig {
  readonly adminRole: string
  readonly ownerIsTenant: boolean
  readonly allowAnonymousAccess: boolean
  /** Undefined: only while the host is a loopback address. */
  readonly allowAnonymousWrites?: boolean | undefined
  readonly tokens: readonly TokenEntry[]
}

/** Exactly one of `token` and `sha256`. */
export interface TokenEntry {
  readonly token?: string | undefined
  readonly sha256?: string | undefined
  readonly user?: string | undefined
  readonly tenant?: string | undefined
  readonly roles: readonly string[]
}

const token: z.ZodType<TokenEntry> = z
  .strictObject({
    token: z.string().min(1).optional(),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits, as `printf %s "$TOKEN" | sha256sum` prints them')
      .optional(),
    user: z.string().min(1).optional(),
    tenant: z.string().min(1).optional(),
    roles: names(0).default([]),
  })
  .refine((entry) => (entry.token === undefined) !== (entry.sha256 === undefined), 'expected either token or sha256')

export const auth: z.ZodType<AuthConfig> = z.strictObject({
  adminRole: z.string().min(1).default('admin').describe('Role that makes an administrator, in any case.'),
  ownerIsTenant: z
    .boolean()
    .default(true)
    .describe('Whether the project owns what is created; otherwise the user does.'),
  allowAnonymousAccess: z
    .boolean()
    .default(false)
    .describe(
      'Where identities are asked for: requests without a valid one may read public images instead of getting 401.',
    ),
  allowAnonymousWrites: z
    .boolean()
    .optional()
    .describe(
      'Where no identities are asked for: whether requests may change anything. Not set: only while `host` is a loopback address.',
    ),
  tokens: z
    .array(token)
    .default([])
    .describe(
      'For the flavours `tokens…`, one table `[[auth.tokens]]` a token: `token` (at least 20 characters, better a reference to them) or `sha256` ' +
        '(its SHA-256 in hex), and who its bearer is: `user`, `tenant`, `roles`.',
    )
    .meta({ secret: true }),
})
