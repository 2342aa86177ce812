import { createHmac } from 'node:crypto'

/** What a known_hosts file says about one host. Keys are in the wire format of RFC 4253 §6.6. */
export interface KnownHost {
  readonly keys: readonly Buffer[]
  readonly revoked: readonly Buffer[]
  /** The host is covered by a `@cert-authority` line, which tells nothing about plain keys. */
  readonly hasAuthority: boolean
}

/**
 * Finds a host as ssh does, by the rules of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": names with wildcards and negation,
 * hashed names, `[host]:port` for ports other than 22. Lines that are none are passed over.
 */
export function knownHost(text: string, host: string, port: number): KnownHost {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`
  const lines = text.split(/\r?\n/).flatMap((line) => parseLine(line) ?? [])
  const mine = lines.filter(({ hosts }) => matches(hosts, name))
  const keysOf = (marker: string): readonly Buffer[] =>
    mine.filter((line) => line.marker === marker).map(({ key }) => key)
  return {
    keys: keysOf(''),
    revoked: keysOf('@revoked'),
    hasAuthority: mine.some(({ marker }) => marker === '@cert-authority'),
  }
}

/** The type of a key in wire format, such as `ssh-ed25519`. */
export function keyType(key: Buffer): string {
  return key.length < 4 ? '' : key.toString('latin1', 4, 4 + Math.min(key.readUInt32BE(0), 64))
}

interface Line {
  readonly marker: string
  readonly hosts: string
  readonly key: Buffer
}

function parseLine(line: string): Line | undefined {
  const fields = line.trim().split(/[ \t]+/)
  const marker = fields[0]?.startsWith('@') ? (fields.shift() ?? '') : ''
  const [hosts, type, base64] = fields
  if (hosts === undefined || type === undefined || base64 === undefined || hosts.startsWith('#')) return undefined
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined
  const key = Buffer.from(base64, 'base64')
  return keyType(key) === type ? { marker, hosts, key } : undefined
}

function matches(hosts: string, name: string): boolean {
  if (hosts.startsWith('|')) return matchesHash(hosts, name)
  const patterns = hosts.toLowerCase().split(',')
  if (patterns.some((pattern) => pattern.startsWith('!') && matchesPattern(pattern.slice(1), name))) return false
  return patterns.some((pattern) => matchesPattern(pattern, name))
}

/** `|1|salt|hash`: HMAC-SHA1 of the name (OpenSSH hostfile.c, host_hash). */
function matchesHash(hosts: string, name: string): boolean {
  const [, version, salt, hash] = hosts.split('|')
  if (version !== '1' || salt === undefined || hash === undefined) return false
  return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash
}

/** `*` stands for any text, `?` for one character. Linear in both lengths but for backtracking to the last `*`. */
function matchesPattern(pattern: string, name: string): boolean {
  let at = 0
  let star = -1
  let resume = 0
  let from = 0
  while (from < name.length) {
    if (pattern[at] === '*') {
      star = at++
      resume = from
    } else if (pattern[at] === '?' || pattern[at] === name[from]) {
      at++
      from++
    } else if (star >= 0) {
      at = star + 1
      from = ++resume
    } else return false
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}
