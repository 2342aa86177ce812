import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chownSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ByteStream, ReadOptions, StoreEnv, WriteOptions } from 'mullion'
import { configSchema, type SftpConfig } from '../src/config.ts'
import type { SftpLocation } from '../src/location.ts'
import { openSftpStore, type SftpStore } from '../src/store.ts'

/** What sftp.sh prints. */
export const ENV = [
  'SFTP_HOST',
  'SFTP_PORT',
  'SFTP_USER',
  'SFTP_PASSWORD',
  'SFTP_PRIVATE_KEY',
  'SFTP_PRIVATE_KEY_RSA',
  'SFTP_PRIVATE_KEY_ENCRYPTED',
  'SFTP_PASSPHRASE',
  'SFTP_KNOWN_HOSTS',
  'SFTP_HOST_FINGERPRINT',
  'SFTP_ROOT',
] as const

export type Service = Readonly<Record<(typeof ENV)[number], string>>

export const never: AbortSignal = new AbortController().signal
export const reading: ReadOptions = { offset: 0, length: undefined, signal: never }

export function writing(options: Partial<WriteOptions<SftpLocation>> = {}): WriteOptions<SftpLocation> {
  return { size: undefined, metadata: {}, signal: never, announce: async () => {}, alive() {}, ...options }
}

/** The configuration for a directory of the service, by key. */
export function configFor(service: Service, root: string, more: Partial<SftpConfig> = {}): SftpConfig {
  return {
    host: service.SFTP_HOST,
    port: Number(service.SFTP_PORT),
    user: service.SFTP_USER,
    privateKey: service.SFTP_PRIVATE_KEY,
    hostFingerprint: service.SFTP_HOST_FINGERPRINT,
    root,
    ...more,
  }
}

export interface LogLine {
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export function environment(now: () => number = Date.now): { readonly env: StoreEnv; readonly log: LogLine[] } {
  const log: LogLine[] = []
  return { log, env: { id: 'images', now, log: (message, fields = {}) => void log.push({ message, fields }) } }
}

export async function openStore(config: SftpConfig, env: StoreEnv = environment().env): Promise<SftpStore> {
  return openSftpStore(configSchema.parse(config), env)
}

/** A new directory below the root of the service that its login may write to. */
export function makeDirectory(service: Service): string {
  const path = join(service.SFTP_ROOT, `test-${randomUUID()}`)
  mkdirSync(path)
  handOver(service, path)
  return path
}

/** Gives a file to the login of the service. */
export function handOver({ SFTP_ROOT }: Service, path: string): void {
  const { uid, gid } = statSync(SFTP_ROOT)
  chownSync(path, uid, gid)
}

export function removeDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true })
}

/** Names below the directory, hidden ones included, sorted. */
export function namesIn(path: string): string[] {
  return readdirSync(path).toSorted()
}

/** How many files of the directory any process of this machine has open, those that serve SFTP among them. */
export function openFilesIn(path: string): number {
  const targets = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => entries(`/proc/${pid}/fd`))
  return targets.filter((target) => target.startsWith(path)).length
}

function entries(path: string): string[] {
  const attempt = <T>(run: () => T): T | undefined => {
    try {
      return run()
    } catch {
      return undefined // closed or ended meanwhile
    }
  }
  return (attempt(() => readdirSync(path)) ?? []).flatMap((name) => attempt(() => readlinkSync(join(path, name))) ?? [])
}

/** Connections of this process to a port of this machine (proc_pid_net(5): fields 3 and 10 of /proc/net/tcp). */
export function socketsTo(port: number): number {
  const mine = new Set(entries('/proc/self/fd'))
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  return readFileSync('/proc/self/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote, , , , , , , inode]) => remote?.endsWith(`:${hex}`) && mine.has(`socket:[${inode}]`)).length
}

/** A tmpfs of so many KiB over a new directory of the service. */
export function mountDisk(service: Service, kib: number): { readonly path: string; readonly unmount: () => void } {
  const path = makeDirectory(service)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', path], { stdio: 'pipe' })
  handOver(service, path)
  return {
    path,
    unmount() {
      execFileSync('umount', ['-l', path])
      removeDirectory(path)
    },
  }
}

/** Undefined when this process may mount. Otherwise the reason it may not, which is said aloud, or thrown with CI=true. */
export function mountRefusal(service: Service): string | undefined {
  try {
    mountDisk(service, 64).unmount()
    return undefined
  } catch (error) {
    const reason = `no tests of full disks: ${String(error).split('\n')[0]}; run them as root`
    if (process.env['CI'] === 'true') throw new Error(reason, { cause: error })
    process.stderr.write(`skipped: ${reason}\n`)
    return reason
  }
}

export async function* streamOf(...chunks: readonly (Uint8Array | string)[]): ByteStream {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

export async function bytesAt(store: SftpStore, at: SftpLocation, options: Partial<ReadOptions> = {}): Promise<Buffer> {
  const { body } = await store.read(at, { ...reading, ...options })
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

export function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => {
      throw new Error('the call was expected to fail, but succeeded')
    },
    (error: unknown) => error,
  )
}
