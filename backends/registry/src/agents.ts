import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import tls from 'node:tls'
import type { RemoteRegistrySettings } from './config.ts'
import { invalidConfig } from './errors.ts'

export interface Agents {
  readonly http: HttpAgent
  readonly https: HttpsAgent
}

export interface AgentPools {
  /** For requests that may be made again when a kept connection turns out to be dead. */
  readonly kept: Agents
  /** For those that may not: a new connection each. */
  readonly fresh: Agents
}

/** Below the keep-alive of registries and of what stands in front of them, so that servers rarely close first. */
const FREE_SOCKET_MS = 4000

/** Rejects `invalid_config` for certificates that are none. */
export async function openAgents(settings: RemoteRegistrySettings): Promise<AgentPools> {
  const secureContext = await trusting(settings)
  const trust = { rejectUnauthorized: true, ...(secureContext && { secureContext }) }
  const agents = (keepAlive: boolean): Agents => {
    const pool = { keepAlive, noDelay: true, maxSockets: settings.maxConnections }
    const options = keepAlive ? { ...pool, timeout: FREE_SOCKET_MS } : pool
    return { http: new HttpAgent(options), https: new HttpsAgent({ ...options, ...trust }) }
  }
  return { kept: agents(true), fresh: agents(false) }
}

export function destroyAgents({ kept, fresh }: AgentPools): void {
  for (const { http, https } of [kept, fresh]) {
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

async function trusting({ ca, cert, key }: RemoteRegistrySettings): Promise<tls.SecureContext | undefined> {
  if (ca === undefined && cert === undefined) return undefined
  const own = ca === undefined ? [] : certificatesIn(await pemOf(ca, 'ca'))
  const identity = cert !== undefined &&
    key !== undefined && { cert: await pemOf(cert, 'cert'), key: await pemOf(key, 'key') }
  try {
    return tls.createSecureContext({ ca: [...usualAuthorities(), ...own], ...identity })
  } catch {
    throw invalidConfig('cert: expected a PEM certificate and its private key')
  }
}

function certificatesIn(pem: string): readonly string[] {
  try {
    const found = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    if (found.length > 0) return found.map((text) => new X509Certificate(text).toString())
  } catch {
    // said below
  }
  throw invalidConfig('ca: expected PEM certificates')
}

async function pemOf(text: string, name: string): Promise<string> {
  if (text.includes('-----BEGIN')) return text
  return readFile(text, 'utf8').catch(() => {
    throw invalidConfig(`${name}: expected PEM text or a readable file of it`)
  })
}

/** The function came with Node 22.15; it also knows NODE_EXTRA_CA_CERTS. */
function usualAuthorities(): readonly string[] {
  return typeof tls.getCACertificates === 'function' ? tls.getCACertificates('default') : tls.rootCertificates
}
