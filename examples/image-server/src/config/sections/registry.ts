import { z } from 'zod'
import { names, seconds } from './values.ts'

export interface RegistryConfig {
  /** Undefined: the records are in a database of this server. */
  readonly url?: string | undefined
  readonly auth: 'none' | 'token' | 'trusted' | 'keystone'
  readonly token?: string | undefined
  readonly user?: string | undefined
  readonly project?: string | undefined
  readonly roles: readonly string[]
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly connectTimeout: number
  readonly timeout: number
  readonly maxConnections: number
  /** `ID=KEY`. */
  readonly encryptionKeys: readonly string[]
  readonly refusePlain: boolean
  readonly allowPlainHttp: boolean
  /** Of the program `mullion-registry`. */
  readonly host: string
  readonly port: number
}

const text = () => z.string().min(1).optional()

export const registry: z.ZodType<RegistryConfig> = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
      .optional()
      .describe('URL of a `mullion-registry` that keeps the records. Not set: the database of this server does.'),
    auth: z
      .enum(['none', 'token', 'trusted', 'keystone'])
      .default('none')
      .describe(
        'How this server shows the registry who it is, which has to take it for an administrator. `none`: not at all. ' +
          '`token`: the bearer token `token`. `trusted`: identity headers with `user`, `project` and `roles`. ' +
          '`keystone`: a token that Keystone issues for the login of `[keystone]`.',
      ),
    token: text().describe('Bearer token for the registry.').meta({ secret: true }),
    user: text().describe('With `trusted`: the user this server is.'),
    project: text().describe('With `trusted`: its project.'),
    roles: names(1).default(['admin']).describe('With `trusted`: its roles.'),
    ca: text().describe('File of authorities for the certificate of the registry, beside the usual ones.'),
    cert: text().describe('File of the certificate this server shows the registry, together with `key`.'),
    key: text().describe('File of its private key.'),
    connectTimeout: seconds().min(0.001).default(5).describe('Seconds for a connection to the registry.'),
    timeout: seconds().min(0.001).default(30).describe('Seconds that the registry may take to answer.'),
    maxConnections: z.int().min(1).max(1024).default(32).describe('Connections to the registry at once.'),
    encryptionKeys: z
      .array(z.string().regex(/^[A-Za-z0-9._-]{1,64}=/, 'expected ID=KEY'))
      .default([])
      .describe(
        'Encrypt the locations of images in the database, or before they leave for the registry: `ID=KEY`, the key 32 random bytes in base64 ' +
          '(`openssl rand -base64 32`) or a reference to them. The first key writes, all of them read.',
      )
      .meta({ secret: true }),
    refusePlain: z.boolean().default(false).describe('Refuse locations that were stored before there was a key.'),
    allowPlainHttp: z
      .boolean()
      .default(false)
      .describe(
        'Send a token, or locations without `encryption_keys`, to an `http://` URL on another machine too: something else ' +
          'keeps the way there secret, such as a VPN.',
      ),
    host: z.string().min(1).default('127.0.0.1').describe('Address that `mullion-registry` listens on.'),
    port: z
      .int()
      .min(0)
      .max(65_535)
      .default(9191)
      .describe('Port that `mullion-registry` listens on; 0 lets the system choose.'),
  })
  .refine(({ auth, token }) => auth !== 'token' || token !== undefined, {
    path: ['token'],
    error: 'expected a token, as auth is "token"',
  })
