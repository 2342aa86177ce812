import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import tls from 'node:tls'
import { badConfig } from './errors.ts'

/** Connections for one kind of request. */
export interface Agents {
  readonly http: HttpAgent
  readonly https: HttpsAgent
}

interface Pair {
  /** For requests that can be made again when a kept connection turns out to be dead. */
  readonly kept: Agents
  /** For bodies that can be sent once: a new connection each. */
  readonly fresh: Agents
}

/** Apart, because what moves bytes holds its connection while it asks something short: in one pool it could wait for itself. */
export interface AgentPools {
  /** For bodies of images, which hold a connection for as long as the other side likes. */
  readonly long: Pair
  /** For everything else. */
  readonly short: Pair
}

/** Connections of either kind for short requests, where more are allowed at all. */
const MAX_SHORT = 16

/** Below the keepalive of Swift's proxies and of what stands in front of them, so that servers rarely close first. */
const FREE_SOCKET_MS = 4000

export function createAgents(maxSockets: number, secureContext: tls.SecureContext | undefined): AgentPools {
  const trust = { rejectUnauthorized: true, ...(secureContext && { secureContext }) }
  const agents = (keepAlive: boolean, max: number): Agents => {
    const options = { keepAlive, noDelay: true, maxSockets: max, ...(keepAlive && { timeout: FREE_SOCKET_MS }) }
    return { http: new HttpAgent(options), https: new HttpsAgent({ ...options, ...trust }) }
  }
  const pair = (max: number): Pair => ({ kept: agents(true, max), fresh: agents(false, max) })
  return { long: pair(maxSockets), short: pair(Math.min(maxSockets, MAX_SHORT)) }
}

export function destroyAgents({ long, short }: AgentPools): void {
  for (const { http, https } of [long.kept, long.fresh, short.kept, short.fresh]) {
    http.destroy()
    https.destroy()
  }
}

/** Ends connections that nobody uses: where one was found dead, the others may be. */
export function dropIdle({ http, https }: Agents): void {
  for (const { freeSockets } of [http, https]) {
    for (const socket of Object.values(freeSockets).flat()) socket?.destroy()
  }
}

/** The usual authorities and those of a file or PEM text. Rejects `invalid_config`. */
export async function trusting(ca: string): Promise<tls.SecureContext> {
  const pem = ca.includes('-----BEGIN') ? ca : await readFile(ca, 'utf8').catch(badCa)
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
  if (certificates === null) return badCa()
  try {
    const own = certificates.map((text) => new X509Certificate(text).toString())
    return tls.createSecureContext({ ca: [...tls.getCACertificates('default'), ...own] })
  } catch {
    return badCa()
  }
}

function badCa(): never {
  throw badConfig('ca: expected PEM certificates or a readable file of them')
}
