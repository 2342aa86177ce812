import { z } from 'zod'
import { names, seconds } from './values.ts'

export interface CorsConfig {
  readonly allowedOrigins: readonly string[]
  readonly allowCredentials: boolean
  readonly maxAge: number
  readonly allowMethods: readonly string[]
  readonly allowHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
}

export const cors: z.ZodType<CorsConfig> = z
  .strictObject({
    allowedOrigins: z
      .array(
        z.string().regex(/^(?:\*|https?:\/\/[^/\s]+)$/, 'expected an origin such as https://horizon.example, or *'),
      )
      .default([])
      .describe('Origins whose pages may use the API, such as `https://horizon.example`; `*` for all. Empty: none.'),
    allowCredentials: z
      .boolean()
      .default(false)
      .describe('Whether those pages may send cookies and client certificates.'),
    maxAge: seconds().default(3600).describe('Seconds for which browsers keep the answer to a preflight.'),
    allowMethods: names(0)
      .default(['GET', 'PUT', 'POST', 'DELETE', 'PATCH'])
      .describe('Methods that those pages may use.'),
    allowHeaders: names(0)
      .default([
        'Content-MD5',
        'X-Image-Meta-Checksum',
        'X-Storage-Token',
        'Accept-Encoding',
        'X-Auth-Token',
        'X-Identity-Status',
        'X-Roles',
        'X-Service-Catalog',
        'X-User-Id',
        'X-Tenant-Id',
        'X-OpenStack-Request-ID',
      ])
      .describe('Headers that those pages may send beside the usual ones.'),
    exposeHeaders: names(0)
      .default([
        'X-Image-Meta-Checksum',
        'X-Auth-Token',
        'X-Subject-Token',
        'X-Service-Token',
        'X-OpenStack-Request-ID',
      ])
      .describe('Headers of answers that those pages may read.'),
  })
  .refine(({ allowedOrigins, allowCredentials }) => !(allowCredentials && allowedOrigins.includes('*')), {
    path: ['allowedOrigins'],
    error: 'expected origins by name where credentials are allowed',
  })
