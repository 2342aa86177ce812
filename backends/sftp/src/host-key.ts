import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { MullionError } from 'mullion'
import type { ServerHostKeyAlgorithm } from 'ssh2'
import type { Settings } from './config.ts'
import { badConfig, failure } from './errors.ts'
import { keyType, type KnownHost, knownHost } from './known-hosts.ts'

/** Who the server has to be. */
export interface HostKeys {
  /** Why a key in wire format is not accepted; undefined when it is. */
  refusal(key: Buffer): MullionError<'permission_denied'> | undefined
  /** Algorithms for the keys that are known, to be asked for first. */
  readonly algorithms: readonly ServerHostKeyAlgorithm[]
}

/** Reads the file once. Rejects `invalid_config`. */
export async function hostKeys(settings: Settings): Promise<HostKeys> {
  const { host, port, hostFingerprints, knownHosts } = settings
  const text = knownHosts === undefined ? '' : await textOf(knownHosts)
  const known = knownHost(text, host, port)
  return {
    refusal: (key) => refusal(settings, known, key),
    // a server has keys of several types: ask for a known one first, or an honest server would seem to be another one
    algorithms:
      hostFingerprints.length > 0
        ? []
        : [...new Set(known.keys.map(keyType))].flatMap((type) => ALGORITHMS[type] ?? []),
  }
}

/** As `ssh-keygen -l` prints it. */
function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=$/, '')}`
}

function refusal(
  { host, port, hostFingerprints, knownHosts }: Settings,
  known: KnownHost,
  key: Buffer,
): MullionError<'permission_denied'> | undefined {
  const offered = fingerprintOf(key)
  const isRevoked = known.revoked.some((each) => each.equals(key))
  if (!isRevoked && hostFingerprints.includes(offered)) return undefined
  if (!isRevoked && known.keys.some((each) => each.equals(key))) return undefined
  const reasons = [
    isRevoked && 'it is revoked',
    !isRevoked && hostFingerprints.length > 0 && 'it is none of hostFingerprint',
    !isRevoked && knownHosts !== undefined && known.keys.length > 0 && 'knownHosts has another one',
    !isRevoked && knownHosts !== undefined && known.keys.length === 0 && 'knownHosts has none for this host and port',
    known.hasAuthority && 'its @cert-authority line is ignored, as host certificates are not supported',
  ].filter((reason) => reason !== false)
  const what = `${host}:${port}: the server offers the ${keyType(key)} key ${offered}, which is not accepted`
  return failure('permission_denied', `${what}: ${reasons.join('; ')}`, {})
}

/** By type of key. RFC 8332 §3: an RSA key signs with SHA-2; the algorithm of the name of its type is SHA-1. */
const ALGORITHMS: Readonly<Record<string, readonly ServerHostKeyAlgorithm[]>> = {
  'ssh-ed25519': ['ssh-ed25519'],
  'ecdsa-sha2-nistp256': ['ecdsa-sha2-nistp256'],
  'ecdsa-sha2-nistp384': ['ecdsa-sha2-nistp384'],
  'ecdsa-sha2-nistp521': ['ecdsa-sha2-nistp521'],
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
}

/** Every key of RFC 4253 §6.6 begins with three zero bytes, in base64 AAAA. */
async function textOf(knownHosts: string): Promise<string> {
  if (/[ \t]AAAA[A-Za-z0-9+/]/.test(knownHosts)) return knownHosts
  try {
    return await readFile(knownHosts, 'utf8')
  } catch (error) {
    throw badConfig(`knownHosts: cannot read the file: ${String((error as { code?: unknown }).code)}`)
  }
}
