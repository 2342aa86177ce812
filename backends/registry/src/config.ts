import { BlockList, isIP } from 'node:net'
import type { EncryptionKey } from 'mullion/images'
import { z } from 'zod'
import { invalidConfig } from './errors.ts'

/** Tokens for `X-Auth-Token` that somebody else issues and renews. */
export interface TokenProvider {
  /** Rejects when there is none. Called for each request: it has to remember. */
  token(): Promise<string>
  /** The registry refused the token: the next call of `token` has to give another one. */
  refused(token: string): void
}

/** As whom the registry is asked. It has to take them for an administrator. */
export type RegistryCredentials =
  /** The registry asks nobody who they are. */
  | { readonly type: 'none' }
  /** `Authorization: Bearer` (RFC 6750). */
  | { readonly type: 'bearer'; readonly token: string }
  /** Identity headers, for a registry that believes them. */
  | {
      readonly type: 'trusted'
      readonly user?: string | undefined
      readonly project?: string | undefined
      readonly roles: readonly string[]
    }
  /** `X-Auth-Token`, as of Keystone. */
  | { readonly type: 'provider'; readonly provider: TokenProvider }

export interface RemoteRegistryConfig {
  /** Of the registry, such as `https://registry.example:9191`. */
  readonly url: string
  /**
   * Default `none`. A token is sent over plain HTTP to this machine only, and so are values that are not encrypted, unless
   * `allowPlainHttp` says otherwise.
   */
  readonly credentials?: RegistryCredentials | undefined
  /** Seal locations and tasks before they leave: the first key writes, all of them read. Default none. */
  readonly encryptionKeys?: readonly EncryptionKey[] | undefined
  /** Refuse values that were stored before there was a key. Default false. */
  readonly refusePlain?: boolean | undefined
  /** The way to an `http:` URL on another machine is secured by something else. Default false. */
  readonly allowPlainHttp?: boolean | undefined
  /** Authorities of the registry's certificate beside the usual ones: PEM text, or the path of a file. */
  readonly ca?: string | undefined
  /** Our certificate, for a registry that wants one: PEM text, or the path of a file. Together with `key`. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** For each of name look-up, connection and TLS. Default 5000. */
  readonly connectTimeoutMs?: number | undefined
  /** Until an answer begins, and until it is complete. Default 30,000. */
  readonly responseTimeoutMs?: number | undefined
  /** Requests at once; more wait for their turn. Default 32. */
  readonly maxConnections?: number | undefined
  /** Tries of a request that may be repeated. Default 3. */
  readonly attempts?: number | undefined
}

export interface RemoteRegistrySettings extends RemoteRegistryConfig {
  readonly credentials: RegistryCredentials
  readonly encryptionKeys: readonly EncryptionKey[]
  readonly refusePlain: boolean
  readonly allowPlainHttp: boolean
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly maxConnections: number
  readonly attempts: number
}

const VISIBLE = z.string().regex(/^[\x21-\x7e]+$/, 'expected visible ASCII without blanks')
const timeout = z.int().min(1).max(2_147_483_647)

const credentials = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({ type: z.literal('bearer'), token: VISIBLE }),
  z.strictObject({
    type: z.literal('trusted'),
    user: VISIBLE.optional(),
    project: VISIBLE.optional(),
    roles: z.array(VISIBLE).readonly(),
  }),
  z.strictObject({ type: z.literal('provider'), provider: z.custom<TokenProvider>(isProvider, 'expected an object') }),
])

const encryptionKey = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1-64 of A-Z a-z 0-9 . _ -'),
  key: z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'expected 32 bytes in base64'),
})

const schema: z.ZodType<RemoteRegistrySettings> = z
  .strictObject({
    url: z.string().refine(isBaseUrl, 'expected an http or https URL without credentials, query and fragment'),
    credentials: credentials.default({ type: 'none' }),
    encryptionKeys: z.array(encryptionKey).readonly().default([]),
    refusePlain: z.boolean().default(false),
    allowPlainHttp: z.boolean().default(false),
    ca: z.string().min(1).optional(),
    cert: z.string().min(1).optional(),
    key: z.string().min(1).optional(),
    connectTimeoutMs: timeout.default(5_000),
    responseTimeoutMs: timeout.default(30_000),
    maxConnections: z.int().min(1).max(1024).default(32),
    attempts: z.int().min(1).max(10).default(3),
  })
  .refine(({ encryptionKeys: keys }) => new Set(keys.map(({ id }) => id)).size === keys.length, {
    path: ['encryptionKeys'],
    message: 'expected different ids',
  })
  .refine(({ encryptionKeys, refusePlain }) => !refusePlain || encryptionKeys.length > 0, {
    path: ['refusePlain'],
    message: 'expected at least one encryption key',
  })
  .refine((settings) => settings.allowPlainHttp || !isOverheard(settings), {
    path: ['url'],
    message: 'expected https, as a token or unencrypted locations go to another machine; else allow plain http',
  })
  .refine(({ cert, key }) => (cert === undefined) === (key === undefined), {
    path: ['cert'],
    message: 'expected cert and key together',
  })

/** Throws `invalid_config`, without the values of secrets. */
export function parseConfig(input: RemoteRegistryConfig): RemoteRegistrySettings {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  throw invalidConfig(...result.error.issues.map(({ path, message }) => `${path.join('.') || 'config'}: ${message}`))
}

function isBaseUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) return false
  return url.username === '' && url.password === '' && url.search === '' && url.hash === ''
}

type Secrecy = Pick<RemoteRegistrySettings, 'url' | 'credentials' | 'encryptionKeys'>

/** Whether somebody on the way could read a token, or where the data of images is. */
function isOverheard({ url, credentials: { type }, encryptionKeys }: Secrecy): boolean {
  if (!isBaseUrl(url)) return false // said already
  const { protocol, hostname } = new URL(url)
  if (protocol === 'https:' || isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'))) return false
  return type === 'bearer' || type === 'provider' || encryptionKeys.length === 0
}

function isLoopback(host: string): boolean {
  const family = isIP(host)
  return family === 0 ? host === 'localhost' : LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4')
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

function isProvider(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'token' in value && 'refused' in value
}
