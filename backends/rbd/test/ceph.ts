import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ByteStream, collect, isMullionError, type StoreEnv, type WriteOptions } from 'mullion'
import { classify } from '../src/errors.ts'
import { type RbdConfig, type RbdLocation, rbd } from '../src/index.ts'
import type { RbdStore } from '../src/store.ts'

/** What test/services/ceph.sh prints. */
export const ENV = [
  'RBD_CEPH_CONF',
  'RBD_USER',
  'RBD_POOL',
  'RBD_KEYRING',
  'RBD_ADMIN_KEYRING',
  'RBD_MON_HOST',
] as const
export type Settings = Readonly<Record<(typeof ENV)[number], string>>

const run = promisify(execFile)

/** A pool of one's own, a user who may use only that, and Ceph's tools as administrator. */
export interface Ceph {
  readonly pool: string
  readonly config: RbdConfig
  rbd(...args: readonly string[]): Promise<string>
  ceph(...args: readonly string[]): Promise<string>
  /** In the pool. */
  rados(...args: readonly string[]): Promise<string>
  /** Names of images, snapshots included, and what lies in the trash; of the pool or `pool/namespace`. */
  held(spec?: string): Promise<readonly string[]>
  /** Takes everything away again. */
  remove(): Promise<void>
}

export async function cephPool(settings: Settings): Promise<Ceph> {
  const pool = `test-${randomBytes(6).toString('hex')}`
  const dir = await mkdtemp(join(tmpdir(), 'mullion-rbd-'))
  const keyring = join(dir, 'keyring')
  const admin = ['-c', settings.RBD_CEPH_CONF, '-n', 'client.admin', '--keyring', settings.RBD_ADMIN_KEYRING]
  const tool = async (name: string, args: readonly string[]): Promise<string> =>
    (await run(name, [...admin, ...args], { maxBuffer: 64 << 20, timeout: 50_000 })).stdout
  const ceph = (...args: readonly string[]): Promise<string> => tool('ceph', args)
  const lines = async (...args: readonly string[]): Promise<readonly string[]> =>
    (await tool('rbd', args)).split('\n').filter((line) => line !== '')
  await ceph('osd', 'pool', 'create', pool, '4', '4')
  await tool('rbd', ['pool', 'init', pool])
  const caps = ['mon', 'profile rbd', 'osd', `profile rbd pool=${pool}`]
  await writeFile(keyring, await ceph('auth', 'get-or-create', `client.${pool}`, ...caps), { mode: 0o600 })
  return {
    pool,
    config: { pool, user: pool, confFile: settings.RBD_CEPH_CONF, keyring, operationTimeoutMs: 10_000 },
    rbd: (...args) => tool('rbd', args),
    rados: (...args) => tool('rados', ['-p', pool, ...args]),
    ceph,
    async held(spec = pool) {
      const images = (await lines('ls', '-l', spec)).map((line) => line.split(/\s+/)[0] ?? '')
      return [...images.filter((name) => name !== 'NAME'), ...(await lines('trash', 'ls', '--all', spec))]
    },
    async remove() {
      await ceph('osd', 'pool', 'rm', pool, pool, '--yes-i-really-really-mean-it')
      await ceph('auth', 'rm', `client.${pool}`)
      await rm(dir, { recursive: true })
    },
  }
}

export interface LogLine {
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export const signal: AbortSignal = new AbortController().signal

export function writing(options: Partial<WriteOptions<RbdLocation>> = {}): WriteOptions<RbdLocation> {
  return { size: undefined, metadata: {}, signal, announce: async () => {}, alive() {}, ...options }
}

export async function bytesAt(
  store: RbdStore,
  at: RbdLocation,
  range: { readonly offset?: number; readonly length?: number } = {},
): Promise<Buffer> {
  const { body } = await store.read(at, { offset: 0, length: undefined, signal, ...range })
  return Buffer.from(await collect(body))
}

export async function* streamOf(...chunks: readonly (Uint8Array | string)[]): ByteStream {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

/** The code of what a call rejects with, as the core would say it. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'resolved'
  } catch (error) {
    return isMullionError(error) ? error.code : (classify(error) ?? String(error))
  }
}

/** A store as the plugin opens it, and what it logged. */
export async function openStore(
  config: RbdConfig,
  now: () => number = Date.now,
): Promise<{ readonly store: RbdStore; readonly log: readonly LogLine[] }> {
  const log: LogLine[] = []
  const env: StoreEnv = { id: 'images', now, log: (message, fields = {}) => void log.push({ message, fields }) }
  return { store: await rbd(config).open(env), log }
}
