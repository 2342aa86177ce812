import { X509Certificate } from 'node:crypto'
import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns'
import { readFile } from 'node:fs/promises'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import tls from 'node:tls'
import { callbackify } from 'node:util'
import { failure, refusedTarget } from './errors.ts'
import type { Guard } from './guard.ts'

/** All addresses of a host name. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>

export interface Agents {
  readonly http: HttpAgent
  readonly https: HttpsAgent
}

/** Long enough for the GET after a HEAD, short enough that servers rarely close first. */
const FREE_SOCKET_MS = 4000

/** Connections that go nowhere the guard has not approved at the moment of connecting. No proxies, no cookies. */
export function guardedAgents(
  guard: Guard,
  resolve: Resolve,
  options: { readonly maxConnections: number; readonly secureContext: tls.SecureContext | undefined },
): Agents {
  const { maxConnections: maxSockets, secureContext } = options
  const pool = { keepAlive: true, maxSockets, timeout: FREE_SOCKET_MS }
  const trust = { rejectUnauthorized: true, ...(secureContext && { secureContext }) }
  return {
    http: guarded(new HttpAgent(pool), guard, resolve),
    https: guarded(new HttpsAgent({ ...pool, ...trust }), guard, resolve),
  }
}

/** Node asks `lookup` for names only, hence addresses are judged before; both see the port of this very connection. */
function guarded<A extends HttpAgent>(agent: A, guard: Guard, resolve: Resolve): A {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, done) => {
    const host = options.host ?? ''
    const port = Number(options.port)
    if (isIP(host) !== 0) guard.assertAddress(host, port)
    return connect({ ...options, lookup: guardedLookup(guard, resolve, port) }, done)
  }
  return agent
}

function guardedLookup(guard: Guard, resolve: Resolve, port: number): LookupFunction {
  const lookup = async (host: string, options: LookupOptions): Promise<readonly LookupAddress[]> => {
    const { family } = options
    const found = await resolve(host)
    // one address that may not be used spoils the name: what else it resolves to is then no honest answer either
    for (const { address } of found) guard.assertAddress(address, port, host.toLowerCase())
    const wanted = family === 4 || family === 6 ? found.filter((entry) => entry.family === family) : found
    if (wanted.length === 0) throw refusedTarget()
    return options.all ? wanted : wanted.slice(0, 1)
  }
  const asked = callbackify(lookup)
  return (host, options, done) => {
    asked(host, options, (error, addresses) => {
      if (error) return done(error, '')
      const [first] = addresses
      if (options.all) done(null, [...addresses])
      else done(null, first?.address ?? '', first?.family)
    })
  }
}

/** The resolver of the system. A name that does not exist fails like one that may not be used. */
export const systemResolve: Resolve = (host) =>
  new Promise((resolve, reject) => {
    systemLookup(host, { all: true }, (error, addresses) => {
      if (!error) resolve(addresses)
      else reject(error.code === 'ENOTFOUND' ? refusedTarget() : error)
    })
  })

/** The usual authorities and those of a file or PEM text. Rejects `invalid_config`. */
export async function trusting(ca: string): Promise<tls.SecureContext> {
  const pem = ca.includes('-----BEGIN') ? ca : await readFile(ca, 'utf8').catch(badCa)
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
  if (certificates === null) return badCa()
  try {
    const own = certificates.map((text) => new X509Certificate(text).toString())
    return tls.createSecureContext({ ca: [...usualAuthorities(), ...own] })
  } catch {
    return badCa()
  }
}

/** The function came with Node 22.15; it also knows NODE_EXTRA_CA_CERTS. */
function usualAuthorities(): readonly string[] {
  return typeof tls.getCACertificates === 'function' ? tls.getCACertificates('default') : tls.rootCertificates
}

function badCa(): never {
  const issue = 'ca: expected PEM certificates or a readable file of them'
  throw failure('invalid_config', issue, { plugin: 'http', issues: [issue] })
}
