import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** What a proxy says of a request that it passed on; undefined where it says nothing, or nothing that can be used. */
export interface Forwarded {
  /** Of the client, or of the first proxy that is not trusted. */
  readonly address: string | undefined
  readonly protocol: 'http' | 'https' | undefined
  readonly host: string | undefined
  /** Path under which the proxy offers the server, without a slash at its end. */
  readonly prefix: string
}

/** Believes `Forwarded` (RFC 7239), or else `X-Forwarded-*`, of peers in these networks, and nobody else's. */
export function believeProxies(app: FastifyInstance, networks: readonly string[]): void {
  const proxies = addressList(networks)
  app.addHook('onRequest', async (request) => {
    if (!isIn(proxies, request.socket.remoteAddress)) return
    const { address, protocol, host, prefix } = forwardedBy(request.headers, proxies)
    // properties of this request, in place of the getters that look at its connection
    if (address !== undefined) Object.defineProperty(request, 'ip', { value: address })
    if (protocol !== undefined) Object.defineProperty(request, 'protocol', { value: protocol })
    if (host !== undefined) Object.defineProperty(request, 'host', { value: host })
    prefixes.set(request.raw, prefix)
  })
}

/** Path under which a trusted proxy offers the server: empty, or with a slash at its start and none at its end. */
export function forwardedPrefix({ raw }: FastifyRequest): string {
  return prefixes.get(raw) ?? ''
}

/** Throws for what is neither an address nor a network such as `10.0.0.0/8`; its message is for the operator. */
export function addressList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', bits] = network.split('/')
    const family = isIP(address)
    if (family === 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))) {
      throw new Error(`expected an address or a network such as 10.0.0.0/8, got ${JSON.stringify(network)}`)
    }
    list.addSubnet(address, Number(bits ?? (family === 4 ? 32 : 128)), family === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}

const prefixes = new WeakMap<IncomingMessage, string>()

/**
 * Each proxy adds an entry at the end, so they are read from there, as far as trusted proxies wrote them: what lies
 * before was sent by the client, true or not. A proxy that sets a header once for all sets the last entry.
 */
export function forwardedBy(headers: IncomingHttpHeaders, proxies: BlockList): Forwarded {
  const entries = headers.forwarded === undefined ? undefined : forwardedEntries(textOf(headers.forwarded))
  const list = (key: string): string[] =>
    entries?.map((entry) => entry.get(key) ?? '') ?? listOf(headers[`x-forwarded-${key}`])
  const addresses = list('for').map(addressIn)
  const depth = trustedDepth(addresses, proxies)
  const said = (key: string): string => {
    const values = list(key)
    return values[Math.max(values.length - depth, 0)] ?? ''
  }
  const protocol = said('proto').toLowerCase()
  const host = said('host')
  return {
    address: addresses.at(-depth),
    protocol: protocol === 'http' || protocol === 'https' ? protocol : undefined,
    host: HOST.test(host) ? host : undefined,
    prefix: prefixIn(listOf(headers['x-forwarded-prefix']).at(-1) ?? ''),
  }
}

const HOST = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/

/** How many entries at the end were written by trusted proxies, at least the last one. */
function trustedDepth(addresses: readonly (string | undefined)[], proxies: BlockList): number {
  const stranger = addresses.findLastIndex((address) => !isIn(proxies, address))
  return Math.max(addresses.length - Math.max(stranger, 0), 1)
}

function isIn(list: BlockList, address: string | undefined): boolean {
  const family = isIP(address ?? '')
  return address !== undefined && family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

/** RFC 7239 §4: elements by commas, pairs by semicolons, values as tokens or quoted strings. */
function forwardedEntries(text: string): Map<string, string>[] {
  return split(text, ',').map((element) => {
    const pairs = split(element, ';').map((pair): [string, string] => {
      const at = pair.indexOf('=')
      const value = pair.slice(at + 1).trim()
      const quoted = /^"(.*)"$/s.exec(value)?.[1]
      return [pair.slice(0, at).trim().toLowerCase(), quoted?.replaceAll(/\\(.)/gs, '$1') ?? value]
    })
    return new Map(pairs)
  })
}

/** At the separators outside of quoted strings. */
function split(text: string, separator: ',' | ';'): string[] {
  const parts = ['']
  let isQuoted = false
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    if (character === '"') isQuoted = !isQuoted
    if (character === separator && !isQuoted) parts.push('')
    else if (character === '\\' && isQuoted) parts.push(`${parts.pop()}\\${text.charAt(++at)}`)
    else parts.push(`${parts.pop()}${character}`)
  }
  return parts
}

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined
    ? []
    : textOf(value)
        .split(',')
        .map((part) => part.trim())
}

function textOf(value: string | readonly string[]): string {
  return typeof value === 'string' ? value : value.join(',')
}

/** RFC 7239 §6: with a port or not, IPv6 in brackets. Undefined for `unknown` and for names. */
function addressIn(node: string): string | undefined {
  const [, bracketed, plain] = /^(?:\[([^\]]+)\](?::\d+)?|([^:]+)(?::\d+)?)$/.exec(node) ?? []
  const address = bracketed ?? plain ?? node
  return isIP(address) === 0 ? undefined : address
}

function prefixIn(text: string): string {
  const prefix = text.replace(/\/+$/, '')
  return /^(?:\/[A-Za-z0-9._~-]+)+$/.test(prefix) ? prefix : ''
}
