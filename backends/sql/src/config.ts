import { MullionError } from 'mullion'
import type { EncryptionKey } from 'mullion/images'
import { z } from 'zod'

export type SqlConfig = SqliteConfig | PostgresConfig | MysqlConfig

interface CommonConfig {
  /** Seal locations and tasks: the first key writes, all of them read. Default none. */
  readonly encryptionKeys?: readonly EncryptionKey[]
  /** Refuse values that were stored before there was a key. Default false. */
  readonly refusePlain?: boolean
  /** How long a database that is busy or away is asked again. Default 5000. */
  readonly busyTimeoutMs?: number
  /** How long a claim holds a task unless it is renewed. Default 30,000. */
  readonly leaseMs?: number
}

export interface SqliteConfig extends CommonConfig {
  /** Default `sqlite`. */
  readonly dialect?: 'sqlite'
  /** Path of the database file, created if missing, or `:memory:`. */
  readonly file: string
}

export interface PostgresConfig extends ServerConfig {
  readonly dialect: 'postgres'
}

/** MariaDB, too. */
export interface MysqlConfig extends ServerConfig {
  readonly dialect: 'mysql'
}

interface ServerConfig extends CommonConfig {
  /** `postgres://user:password@host:port/database`, or `mysql://…`; instead of the keys below. */
  readonly url?: string
  readonly host?: string
  /** Default 5432 or 3306. */
  readonly port?: number
  readonly user?: string
  readonly password?: string
  readonly database?: string
  /** Connections at once. Default 10. */
  readonly poolSize?: number
  /** Encrypt the connection and check the server's certificate. Default false. */
  readonly tls?: boolean | TlsConfig
  /** How long connecting may take. Default 5000. */
  readonly connectTimeoutMs?: number
  /** How long a statement may take, 0 for ever. Migrations have no limit. Default 30,000. */
  readonly statementTimeoutMs?: number
}

export interface TlsConfig {
  /** Certificates to trust instead of the system's, PEM. */
  readonly ca?: string
  /** Certificate and key of this client, PEM. */
  readonly cert?: string
  readonly key?: string
  /** Name in the server's certificate when it is not the host. */
  readonly serverName?: string
}

/** A configuration with every default, and the URL taken apart. */
export type ParsedConfig = ParsedSqlite | ParsedServer

interface ParsedCommon {
  readonly encryptionKeys: readonly EncryptionKey[]
  readonly refusePlain: boolean
  readonly busyTimeoutMs: number
  readonly leaseMs: number
}

export interface ParsedSqlite extends ParsedCommon {
  readonly dialect: 'sqlite'
  readonly file: string
}

export interface ParsedServer extends ParsedCommon {
  readonly dialect: 'postgres' | 'mysql'
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly poolSize: number
  readonly tls: TlsConfig | undefined
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
}

const LONGEST_TIMER_MS = 2_147_483_647

const duration = z.number().int().min(0).max(LONGEST_TIMER_MS)

const keySchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1-64 of A-Z a-z 0-9 . _ -'),
  key: z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'expected 32 bytes in base64'),
})

const common = {
  encryptionKeys: z.array(keySchema).readonly().default([]),
  refusePlain: z.boolean().default(false),
  busyTimeoutMs: duration.default(5000),
  leaseMs: duration.min(100).default(30_000),
}

const tlsSchema = z.strictObject({
  ca: z.string().optional(),
  cert: z.string().optional(),
  key: z.string().optional(),
  serverName: z.string().optional(),
})

const server = {
  ...common,
  url: z.string().optional(),
  host: z.string().min(1).optional(),
  port: z.number().int().min(1).max(65_535).optional(),
  user: z.string().min(1).optional(),
  password: z.string().optional(),
  database: z.string().min(1).optional(),
  poolSize: z.number().int().min(1).max(1000).default(10),
  tls: z.union([z.boolean(), tlsSchema]).default(false),
  connectTimeoutMs: duration.min(1).default(5000),
  statementTimeoutMs: duration.default(30_000),
}

const schema = z
  .discriminatedUnion('dialect', [
    z.strictObject({ dialect: z.literal('sqlite'), file: z.string().min(1), ...common }),
    z.strictObject({ dialect: z.literal('postgres'), ...server }),
    z.strictObject({ dialect: z.literal('mysql'), ...server }),
  ])
  .refine(({ encryptionKeys: keys }) => new Set(keys.map(({ id }) => id)).size === keys.length, {
    path: ['encryptionKeys'],
    message: 'expected different ids',
  })
  .refine(({ encryptionKeys, refusePlain }) => !refusePlain || encryptionKeys.length > 0, {
    path: ['refusePlain'],
    message: 'expected at least one encryption key',
  })

/** Throws `invalid_config`, without the values of keys, passwords and URLs. */
export function parseConfig(input: SqlConfig): ParsedConfig {
  const result = schema.safeParse({ ...input, dialect: input.dialect ?? 'sqlite' })
  if (!result.success)
    throw invalidConfig(result.error.issues.map(({ path, message }) => `${path.join('.') || 'config'}: ${message}`))
  const config = result.data
  return config.dialect === 'sqlite' ? config : withAddress(config)
}

export function invalidConfig(issues: readonly string[], cause?: unknown): MullionError<'invalid_config'> {
  return new MullionError('invalid_config', `sql: ${issues.join('; ')}`, { details: { plugin: 'sql', issues }, cause })
}

type ServerInput = Exclude<z.infer<typeof schema>, { readonly dialect: 'sqlite' }>

const ADDRESS = ['host', 'port', 'user', 'password', 'database'] as const

function withAddress({ url, tls, ...config }: ServerInput): ParsedServer {
  const given = ADDRESS.filter((name) => config[name] !== undefined)
  if (url !== undefined && given.length > 0) throw invalidConfig([`${given[0]}: expected no such key beside url`])
  const address = url === undefined ? config : parseUrl(url, config.dialect)
  const { host = 'localhost', user, database } = address
  if (user === undefined) throw invalidConfig([`${url === undefined ? 'user' : 'url'}: expected a user`])
  if (database === undefined) throw invalidConfig([`${url === undefined ? 'database' : 'url'}: expected a database`])
  return {
    ...config,
    host,
    port: address.port ?? (config.dialect === 'postgres' ? 5432 : 3306),
    user,
    password: address.password ?? '',
    database,
    tls: tls === true ? {} : tls === false ? undefined : (tls as TlsConfig),
  }
}

const SCHEMES = { postgres: ['postgres:', 'postgresql:'], mysql: ['mysql:', 'mariadb:'] } as const

type Address = Partial<Pick<ParsedServer, (typeof ADDRESS)[number]>>

function parseUrl(text: string, dialect: ParsedServer['dialect']): Address {
  const expected = `url: expected ${dialect}://user:password@host:port/database, special characters as %XX`
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !(SCHEMES[dialect] as readonly string[]).includes(url.protocol)) throw invalidConfig([expected])
  // An option that is silently ignored could be the one that asks for encryption.
  if (url.search !== '' || url.hash !== '')
    throw invalidConfig(['url: expected no parameters; they are keys of their own'])
  try {
    const [user, password, database] = [url.username, url.password, url.pathname.slice(1)].map(decodeURIComponent)
    return {
      ...(url.hostname !== '' && { host: url.hostname.replace(/^\[(.*)\]$/, '$1') }),
      ...(url.port !== '' && { port: Number(url.port) }),
      ...(user && { user }),
      ...(password && { password }),
      ...(database && { database }),
    }
  } catch {
    throw invalidConfig([expected])
  }
}
