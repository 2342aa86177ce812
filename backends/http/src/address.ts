import ipaddr from 'ipaddr.js'

export type Address = ReturnType<typeof ipaddr.parse>
export type Network = readonly [Address, number]

/** Not reserved, yet no public host: the platform service of Azure, which hands out credentials. */
const AZURE_PLATFORM = network('168.63.129.16/32')
/** RFC 4291 §2.4, IANA "IPv6 Global Unicast Address Assignments": nothing outside has been given to anybody. */
const GLOBAL_UNICAST = network('2000::/3')

const MAPPED = network('::ffff:0:0/96')
const NAT64 = network('64:ff9b::/96')
const NAT64_LOCAL = network('64:ff9b:1::/48')
const COMPATIBLE = network('::/96')
const TRANSLATED = network('::ffff:0:0:0/96')
const SIX_TO_FOUR = network('2002::/16')
const TEREDO = network('2001::/32')

/** A host that everybody can reach: no range of ipaddr.js has another use for the address. */
export function isPublic(address: Address): boolean {
  if (address.range() !== 'unicast' || within(address, AZURE_PLATFORM)) return false
  return address.kind() === 'ipv4' || within(address, GLOBAL_UNICAST)
}

/** The IPv4 addresses that an IPv6 address stands for: where a translator, tunnel or the kernel would send the bytes. */
export function embeddedIn(address: Address): readonly Address[] {
  if (address.kind() === 'ipv4') return []
  const bytes = address.toByteArray()
  if (within(address, SIX_TO_FOUR)) return [ipv4(bytes.slice(2, 6))]
  // RFC 4380 §4: the server, then the client with all bits inverted
  if (within(address, TEREDO)) return [ipv4(bytes.slice(4, 8)), ipv4(bytes.slice(12).map((byte) => byte ^ 255))]
  const isSpecial = address.range() === 'loopback' || address.range() === 'unspecified'
  if (isSpecial) return []
  const holders = [MAPPED, NAT64, NAT64_LOCAL, COMPATIBLE, TRANSLATED]
  return holders.some((holder) => within(address, holder)) ? [ipv4(bytes.slice(12))] : []
}

/** The kernel connects to these over IPv4. */
export function isMapped(address: Address): boolean {
  return within(address, MAPPED)
}

export function within(address: Address, [base, bits]: Network): boolean {
  return address.kind() === base.kind() && address.match(base, bits)
}

/** Accepts an address or a CIDR block in its usual notation; undefined when the text is neither. */
export function parseNetwork(text: string): Network | undefined {
  const [, address = '', bits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  // ipaddr.js alone would also read 127.1 and 0x7f.1
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) return undefined
  const base = ipaddr.parse(address)
  const most = base.kind() === 'ipv4' ? 32 : 128
  const length = bits === undefined ? most : Number(bits)
  return length > most ? undefined : [base, length]
}

function network(text: string): Network {
  return ipaddr.parseCIDR(text)
}

function ipv4(bytes: number[]): Address {
  return ipaddr.fromByteArray(bytes)
}
