import { z } from 'zod'

export interface AuthConfig {
  readonly flavour: 'none' | 'trusted'
  readonly adminRole: string
  readonly ownerIsTenant: boolean
  readonly allowAnonymousAccess: boolean
  /** Undefined: only while the host is a loopback address. */
  readonly allowAnonymousWrites?: boolean | undefined
}

export const auth: z.ZodType<AuthConfig> = z.strictObject({
  flavour: z
    .enum(['none', 'trusted'])
    .default('none')
    .describe(
      '`none`: no authentication, every request acts as an administrator. `trusted`: the identity headers ' +
        '(`X-Identity-Status`, `X-User-Id`, `X-Project-Id`, `X-Roles`) are believed; only a proxy that sets them may reach the port.',
    ),
  adminRole: z.string().min(1).default('admin').describe('Role that makes an administrator, in any case.'),
  ownerIsTenant: z
    .boolean()
    .default(true)
    .describe('Whether the project owns what is created; otherwise the user does.'),
  allowAnonymousAccess: z
    .boolean()
    .default(false)
    .describe('With `trusted`: requests without a confirmed identity may read public images instead of getting 401.'),
  allowAnonymousWrites: z
    .boolean()
    .optional()
    .describe('With `none`: whether requests may change anything. Not set: only while `host` is a loopback address.'),
})
