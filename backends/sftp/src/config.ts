import type { Algorithms } from 'ssh2'
import { isIPv6 } from 'node:net'
import { z } from 'zod'

/** One of `knownHosts` and `hostFingerprint`, and one of `privateKey`, `agent` and `password`, at the least. */
export interface SftpConfig {
  readonly host: string
  /** Default 22. */
  readonly port?: number | undefined
  readonly user: string
  /** Absolute path of the directory on the server that holds the images. It has to exist. */
  readonly root: string
  readonly password?: string | undefined
  /** A file name, or the text of the key. */
  readonly privateKey?: string | undefined
  /** Decrypts the private key. */
  readonly passphrase?: string | undefined
  /** Path of the socket of an ssh-agent. */
  readonly agent?: string | undefined
  /** A file name, or lines in the format of sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT". */
  readonly knownHosts?: string | undefined
  /** As `ssh-keygen -l` prints it: `SHA256:…`. Each of several is accepted. */
  readonly hostFingerprint?: string | readonly string[] | undefined
  /** Octal digits such as `'640'`, independent of the umask of the server. Default: what that leaves of 666. */
  readonly permissions?: string | undefined
  /** Connections at most; operations share them. Default 4. */
  readonly connections?: number | undefined
  /** Time after which an unused connection is closed. Default 60,000. */
  readonly idleConnectionMs?: number | undefined
  /** For looking up the name and connecting. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /** From there until the SFTP session is open: key exchange, login, start of the subsystem. Default 20,000. */
  readonly handshakeTimeoutMs?: number | undefined
  /** The longest silence while an answer is due; then the connection is given up. Default 60,000. */
  readonly responseTimeoutMs?: number | undefined
  /** How often an SSH-level question keeps the connection alive; given up after three without an answer. Default 20,000. */
  readonly keepaliveIntervalMs?: number | undefined
  /** Age at which a partial upload counts as abandoned and is removed. At least an hour. Default 7 days; `false` removes none. */
  readonly staleUploadMs?: number | false | undefined
  /** Algorithms to offer in place of those of ssh2, by its names. */
  readonly algorithms?: AlgorithmNames | undefined
}

/** Lists in the order of preference; what is left out is as in ssh2. */
export interface AlgorithmNames {
  readonly kex?: readonly string[] | undefined
  readonly cipher?: readonly string[] | undefined
  readonly serverHostKey?: readonly string[] | undefined
  readonly hmac?: readonly string[] | undefined
  readonly compress?: readonly string[] | undefined
}

export interface Settings {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly root: string
  readonly password: string | undefined
  readonly privateKey: string | undefined
  readonly passphrase: string | undefined
  readonly agent: string | undefined
  readonly knownHosts: string | undefined
  readonly hostFingerprints: readonly string[]
  readonly permissions: number | undefined
  readonly connections: number
  readonly idleConnectionMs: number
  readonly connectTimeoutMs: number
  readonly handshakeTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly keepaliveIntervalMs: number
  readonly staleUploadMs: number | undefined
  readonly algorithms: Algorithms | undefined
}

/** Only its time tells an abandoned file from one that another process writes, and clocks differ. */
const LEAST_STALE_MS = 3_600_000
/** Longer timers run at once in Node. */
const MAX_TIMER_MS = 2 ** 31 - 1
const milliseconds = z.int().min(1).max(MAX_TIMER_MS)

const host = z
  .string()
  .regex(/^[A-Za-z0-9._:-]+$/, 'expected a host name or an address, without port and brackets')
  .refine((text) => !text.includes(':') || isIPv6(text), 'expected a host name or an address; `port` takes the port')
  .transform((text) => text.toLowerCase())

const root = z
  .string()
  .regex(/^\//, 'expected an absolute path')
  .refine((text) => !text.includes('\0'), 'a path cannot contain NUL')
  .refine((text) => !text.split('/').some((part) => part === '.' || part === '..'), 'expected a path without . and ..')
  .transform((text) => text.replaceAll(/\/+/g, '/').replace(/(.)\/$/, '$1'))

const fingerprint = z
  .string()
  .regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, 'expected SHA256: and 43 characters, as ssh-keygen -l prints it')
  .transform((text) => text.replace(/=$/, ''))

const permissions = z
  .string()
  .regex(/^0?[0-7]{3}$/, 'expected three octal digits such as "640"')
  .transform((digits) => Number.parseInt(digits, 8))
  .refine((mode) => (mode & 0o600) === 0o600, 'must let the owner read and write, such as "640"')

const names = z.array(z.string().min(1)).min(1).readonly().optional()
/** ssh2 refuses names it does not know when it connects. */
const algorithms = z
  .strictObject({
    kex: names,
    cipher: names,
    serverHostKey: names,
    hmac: names,
    compress: names,
  })
  .transform((lists) => Object.fromEntries(Object.entries(lists).filter(([, list]) => list)) as Algorithms)

export const configSchema: z.ZodType<Settings, SftpConfig> = z
  .strictObject({
    host,
    port: z.int().min(1).max(65_535).default(22),
    user: z.string().min(1),
    root,
    password: z.string().min(1).optional(),
    privateKey: z.string().min(1).optional(),
    passphrase: z.string().min(1).optional(),
    agent: z.string().min(1).optional(),
    knownHosts: z.string().min(1).optional(),
    hostFingerprint: z
      .union([z.string(), z.array(z.string()).readonly()])
      .transform((given) => (typeof given === 'string' ? [given] : given))
      .pipe(z.array(fingerprint).min(1))
      .optional(),
    permissions: permissions.optional(),
    connections: z.int().min(1).max(64).default(4),
    idleConnectionMs: milliseconds.default(60_000),
    connectTimeoutMs: milliseconds.default(10_000),
    handshakeTimeoutMs: milliseconds.default(20_000),
    responseTimeoutMs: milliseconds.default(60_000),
    keepaliveIntervalMs: milliseconds.default(20_000),
    staleUploadMs: z.union([z.int().min(LEAST_STALE_MS), z.literal(false)]).default(7 * 86_400_000),
    algorithms: algorithms.optional(),
  })
  .superRefine(({ knownHosts, hostFingerprint, password, privateKey, passphrase, agent }, context) => {
    const refuse = (message: string): void => context.addIssue({ code: 'custom', message })
    if (knownHosts === undefined && hostFingerprint === undefined) {
      refuse('expected knownHosts or hostFingerprint: the key of the server is always verified')
    }
    if (password === undefined && privateKey === undefined && agent === undefined) {
      refuse('expected privateKey, agent or password')
    }
    if (passphrase !== undefined && privateKey === undefined) refuse('passphrase: there is no privateKey to decrypt')
  })
  .transform(({ hostFingerprint = [], staleUploadMs, ...rest }) => ({
    password: undefined,
    privateKey: undefined,
    passphrase: undefined,
    agent: undefined,
    knownHosts: undefined,
    permissions: undefined,
    algorithms: undefined,
    ...rest,
    hostFingerprints: hostFingerprint,
    staleUploadMs: staleUploadMs === false ? undefined : staleUploadMs,
  }))
