import { readFileSync } from 'node:fs'
import { MullionError } from 'mullion'

/** TLS to somebody else's database. */
export interface Tls {
  /** Paths of PEM files. Without `ca` the authorities that Node.js knows count. */
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  /** What of the server's certificate is verified: its origin and its name, its origin alone, or nothing. */
  readonly verify: 'identity' | 'origin' | 'nothing'
}

type Parameters = ReadonlyMap<string, string>

const BOOLEANS = ['ssl_verify_cert', 'ssl_verify_identity', 'ssl_check_hostname', 'ssl_disabled'] as const

/** What the drivers of Python take, and what changes nothing for who only reads. */
const KNOWN = {
  mysql: ['ssl_ca', 'ssl_cert', 'ssl_key', 'ssl_mode', ...BOOLEANS],
  postgres: ['sslmode', 'sslrootcert', 'sslcert', 'sslkey'],
} as const
const IGNORED = {
  mysql: ['charset', 'use_unicode', 'binary_prefix', 'plugin', 'connect_timeout', 'read_timeout', 'write_timeout'],
  postgres: ['client_encoding', 'application_name', 'connect_timeout', 'keepalives', 'tcp_user_timeout'],
} as const

/**
 * What the query of a database URL says about TLS; undefined for none. Any parameter turns it on, with everything
 * verified, but for those that say otherwise. Throws `invalid_argument` for what cannot be obeyed.
 */
export function tlsOf(dialect: 'mysql' | 'postgres', query: string): Tls | undefined {
  const known: readonly string[] = KNOWN[dialect]
  const ignored: readonly string[] = IGNORED[dialect]
  const given = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(query)) {
    if (ignored.includes(name)) continue
    if (!known.includes(name)) throw refused(`unknown parameter ${shown(name)}; known: ${known.join(', ')}`)
    if (given.has(name)) throw refused(`${name} is there twice`)
    given.set(name, value)
  }
  if (given.size === 0) return undefined
  return dialect === 'mysql' ? mysqlTls(given) : postgresTls(given)
}

/** https://dev.mysql.com/doc/refman/8.4/en/connection-options.html#option_general_ssl-mode, and the flags of PyMySQL and Connector/Python. */
function mysqlTls(given: Parameters): Tls | undefined {
  const flags = new Map(BOOLEANS.map((name) => [name, flag(name, given.get(name))]))
  const files = { ca: given.get('ssl_ca'), cert: given.get('ssl_cert'), key: given.get('ssl_key') }
  const mode = given.get('ssl_mode')?.toUpperCase()
  if (mode !== undefined) {
    const second = BOOLEANS.find((name) => flags.get(name) !== undefined)
    if (second) throw refused(`ssl_mode and ${second} say the same: leave one out`)
    if (mode === 'DISABLED') return undefined
    const verify = { REQUIRED: required(files.ca), VERIFY_CA: 'origin', VERIFY_IDENTITY: 'identity' } as const
    if (!Object.hasOwn(verify, mode)) {
      throw refused('ssl_mode: expected DISABLED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY')
    }
    return { ...files, verify: verify[mode as keyof typeof verify] }
  }
  if (flags.get('ssl_disabled')) return undefined
  if (flags.get('ssl_verify_cert') === false) return { ...files, verify: 'nothing' }
  const isAnyName = [flags.get('ssl_verify_identity'), flags.get('ssl_check_hostname')].includes(false)
  return { ...files, verify: isAnyName ? 'origin' : 'identity' }
}

/** https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION. */
function postgresTls(given: Parameters): Tls | undefined {
  const root = given.get('sslrootcert')
  const ca = root === 'system' ? undefined : root
  const verify = { require: required(root), 'verify-ca': 'origin', 'verify-full': 'identity' } as const
  const mode = given.get('sslmode') ?? 'verify-full'
  if (mode === 'disable') return undefined
  // `allow` and `prefer` would send the password to whoever says that there is no TLS
  if (!Object.hasOwn(verify, mode)) throw refused('sslmode: expected disable, require, verify-ca or verify-full')
  return { ca, cert: given.get('sslcert'), key: given.get('sslkey'), verify: verify[mode as keyof typeof verify] }
}

/** TLS whoever answers; who names authorities wants them asked (as libpq does). */
function required(ca: string | undefined): Tls['verify'] {
  return ca === undefined ? 'nothing' : 'origin'
}

interface DriverTls {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly rejectUnauthorized: boolean
}

/** What both drivers take. Throws what reading the files throws. */
export function driverTls({ ca, cert, key, verify }: Tls): DriverTls {
  return {
    ...(ca !== undefined && { ca: readFileSync(ca, 'utf8') }),
    ...(cert !== undefined && { cert: readFileSync(cert, 'utf8') }),
    ...(key !== undefined && { key: readFileSync(key, 'utf8') }),
    rejectUnauthorized: verify !== 'nothing',
  }
}

function flag(name: string, value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined
  if (/^(?:true|1|yes|on)$/i.test(value)) return true
  if (/^(?:false|0|no|off)$/i.test(value)) return false
  throw refused(`${name}: expected true or false`)
}

/** A name that looks like one: a URL in the wrong form may have its password there. */
function shown(name: string): string {
  return /^[a-z][a-z_]{0,39}$/i.test(name) ? name : 'with an odd name'
}

function refused(what: string): MullionError<'invalid_argument'> {
  return new MullionError('invalid_argument', `database URL: ${what}`, { details: { name: 'database-url' } })
}
