import { type Address, embeddedIn, isMapped, type Network, parseNetwork, within } from './address.ts'
import { isHostName } from './location.ts'

/** One entry of `allow` or `deny`: addresses or one host name, on one port or on all. */
export interface Pattern {
  readonly network: Network | undefined
  readonly host: string | undefined
  readonly port: number | undefined
}

/** `10.0.0.0/8`, `fd00::/8`, `192.0.2.7:8080`, `[::1]:80`, `name.example`, `name.example:8080`; else undefined. */
export function parsePattern(text: string): Pattern | undefined {
  const { what, port } = splitPort(text)
  if (port !== undefined && !(port >= 1 && port <= 65_535)) return undefined
  const network = parseNetwork(what)
  if (network) return { network, host: undefined, port }
  const host = what.toLowerCase()
  // a last label of digits would be read as an address by the URL parser
  const isName = isHostName(host) && !/(^|\.)(\d+|0x[\da-f]*)$/.test(host)
  return isName ? { network: undefined, host, port } : undefined
}

export function matchesHost({ host, port }: Pattern, name: string, onPort: number): boolean {
  return host === name && (port === undefined || port === onPort)
}

export function matchesAddress({ network, port }: Pattern, address: Address, onPort: number): boolean {
  if (network === undefined || (port !== undefined && port !== onPort)) return false
  const forms = isMapped(address) ? [address, ...embeddedIn(address)] : [address]
  return forms.some((form) => within(form, network))
}

function splitPort(text: string): { what: string; port: number | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(\d{1,5}))?$/.exec(text)
  if (bracketed) return { what: bracketed[1] ?? '', port: numberOf(bracketed[2]) }
  const plain = /^([^:]*):(\d{1,5})$/.exec(text)
  return plain ? { what: plain[1] ?? '', port: numberOf(plain[2]) } : { what: text, port: undefined }
}

function numberOf(digits: string | undefined): number | undefined {
  return digits === undefined ? undefined : Number(digits)
}
