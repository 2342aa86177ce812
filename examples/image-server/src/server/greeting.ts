import type { AddressInfo } from 'node:net'
import type { Config } from '../config/config.ts'
import type { IdentityStep } from '../pipeline/flavours.ts'
import { pipelineOf } from '../pipeline/pipeline.ts'
import { isLoopback } from './settings.ts'

/** What a person who has just started the server wants to know, commands to paste included. */
export function greeting(
  { pipeline, host, defaultStore, dataDir, stores }: Config,
  url: string,
  writable: boolean,
): string {
  const names = Object.keys(stores).filter((name) => stores[name]?.enabled)
  const asked = pipelineOf(pipeline).identity
  const identity = asked === undefined ? '' : ` \\\n    ${IDENTITIES[asked]}`
  const upload = `  curl -X POST -T cirros.qcow2 ${url}/v1/images \\
    -H 'content-type: application/octet-stream' -H 'x-image-meta-name: cirros' \\
    -H 'x-image-meta-disk_format: qcow2' -H 'x-image-meta-container_format: bare'${identity}`
  return `mullion image server listens on ${url}
data in ${dataDir}, stores: ${names.map((name) => (name === defaultStore ? `${name} (default)` : name)).join(', ')}
${asked === 'trusted' && !isLoopback(host) ? BELIEVED : ''}
${writable ? `upload an image:\n${upload}` : READ_ONLY}

list the images:
  curl '${url}/v1/images/detail${asked === undefined ? '?is_public=none' : ''}'${identity}
`
}

/** What a client sends to say who it is. */
const IDENTITIES: { readonly [S in IdentityStep]: string } = {
  authtoken: `-H "x-auth-token: $OS_TOKEN"`,
  tokens: `-H "authorization: Bearer $TOKEN"`,
  trusted: `-H 'x-identity-status: Confirmed' -H 'x-project-id: demo' -H 'x-roles: member'`,
}

const READ_ONLY =
  'read-only: without authentication nothing can be changed from other machines; set pipeline.flavour,\n' +
  'or auth.allow_anonymous_writes = true if everybody who reaches this address may change and delete images'

const BELIEVED = 'identity headers are believed: only the proxy that sets them may reach this address\n'

/** Where a client on this machine reaches the socket. */
export function urlOf({ address, family, port }: AddressInfo): string {
  if (address === '0.0.0.0' || address === '::') return `http://localhost:${port}`
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
