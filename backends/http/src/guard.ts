import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { MullionError } from 'mullion'
import { type Address, embeddedIn, isPublic } from './address.ts'
import { refusedTarget } from './errors.ts'
import { parseUri } from './location.ts'
import { matchesAddress, matchesHost, type Pattern, parsePattern } from './pattern.ts'

/** Where requests may go. Patterns: `10.0.0.0/8`, `192.0.2.7`, `name.example`, each also with `:port`; `[::1]:80`. */
export interface GuardRules {
  /** Lifts the ban on private and reserved addresses. A name lifts it for whatever the name resolves to. */
  readonly allow?: readonly string[] | undefined
  /** Never used, whatever `allow` says. */
  readonly deny?: readonly string[] | undefined
  /** Default: http and https. */
  readonly schemes?: readonly ('http' | 'https')[] | undefined
  /** Default: all. */
  readonly ports?: readonly number[] | undefined
}

/** Decides where requests may go. Every refusal is the same `invalid_location`. */
export interface Guard {
  /** What can be known without I/O: syntax, scheme, port, addresses written as such. Throws `invalid_location`. */
  assertUri(uri: string): void
  /** The same for a parsed URL. */
  assertUrl(url: URL): void
  /** For an address about to be connected to; `host` is the name it was resolved from. Throws `invalid_location`. */
  assertAddress(address: string, port: number, host?: string): void
}

/** Throws `invalid_config` for a pattern that is none. */
export function createGuard(rules: GuardRules = {}): Guard {
  const allow = compiled('allow', rules.allow)
  const deny = compiled('deny', rules.deny)
  const schemes: ReadonlySet<string> = new Set((rules.schemes ?? ['http', 'https']).map((scheme) => `${scheme}:`))
  const ports = rules.ports && new Set(rules.ports)

  function mayUse(address: Address, port: number, trusted: boolean): boolean {
    if (deny.some((pattern) => matchesAddress(pattern, address, port))) return false
    const ok = trusted || isPublic(address) || allow.some((pattern) => matchesAddress(pattern, address, port))
    return ok && embeddedIn(address).every((inner) => mayUse(inner, port, trusted))
  }

  function assertAddress(address: string, port: number, host = ''): void {
    const trusted = allow.some((pattern) => matchesHost(pattern, host, port))
    if (isIP(address) === 0 || address.includes('%') || !mayUse(ipaddr.parse(address), port, trusted))
      throw refusedTarget()
  }

  function mayResolve(host: string, port: number): boolean {
    if (deny.some((pattern) => matchesHost(pattern, host, port))) return false
    // got takes http://unix/… for a socket file
    if (host === 'unix') return false
    // RFC 6761 §6.3: the whole domain is the machine itself
    if (host !== 'localhost' && !host.endsWith('.localhost')) return true
    const loopback = ['127.0.0.1', '::1'].some((address) => mayUse(ipaddr.parse(address), port, false))
    return loopback || allow.some((pattern) => matchesHost(pattern, host, port))
  }

  function assertUrl(url: URL): void {
    const port = portOf(url)
    if (!schemes.has(url.protocol) || (ports && !ports.has(port))) throw refusedTarget()
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    if (isIP(host) !== 0) assertAddress(host, port)
    else if (!mayResolve(host, port)) throw refusedTarget()
  }

  return { assertUri: (uri) => assertUrl(new URL(parseUri(uri).url)), assertUrl, assertAddress }
}

function portOf({ port, protocol }: URL): number {
  if (port !== '') return Number(port)
  return protocol === 'https:' ? 443 : 80
}

function compiled(key: string, texts: readonly string[] = []): readonly Pattern[] {
  return texts.map((text) => {
    const pattern = parsePattern(text)
    if (pattern) return pattern
    const issue = `${key}: expected a CIDR block, address or host name, received ${JSON.stringify(text)}`
    throw new MullionError('invalid_config', `http store: ${issue}`, { details: { plugin: 'http', issues: [issue] } })
  })
}
