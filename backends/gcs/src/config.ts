import { z } from 'zod'
import { isBucketName } from './location.ts'

/** One bucket, or the part of it below `prefix`. At most one of `keyFile`, `credentials` and `anonymous: true`. */
export interface GcsConfig {
  readonly bucket: string
  /** Put before every key, such as `images/`. Only what lies below it is the store's own. Default: empty. */
  readonly prefix?: string | undefined
  /** A file of credentials as Google hands them out: service account, authorized user, external account. */
  readonly keyFile?: string | undefined
  /** What such a file holds. */
  readonly credentials?: Readonly<Record<string, unknown>> | undefined
  /** Sends no credentials. Default: false at Google; true at another `endpoint` when no credentials are given. */
  readonly anonymous?: boolean | undefined
  /** Default https://storage.googleapis.com. */
  readonly endpoint?: string | undefined
  /** Bytes of one request of an upload, a multiple of 256 KiB. An upload holds at most two. Default 16 MiB. */
  readonly chunkSize?: number | undefined
  /** Requests of an upload or copy that may fail in a row without progress. Default 8, about half a minute. */
  readonly uploadAttempts?: number | undefined
  /** For the connection with its TLS. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /** From the last byte of a request to the headers of its answer. Default 60,000. */
  readonly responseTimeoutMs?: number | undefined
  /** The longest wait for bytes to move while a request or an answer is under way. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined
}

export interface GcsSettings {
  readonly bucket: string
  readonly prefix: string
  readonly keyFile: string | undefined
  readonly credentials: Readonly<Record<string, unknown>> | undefined
  readonly anonymous: boolean
  /** Without a slash at the end. */
  readonly endpoint: string
  readonly isGoogle: boolean
  readonly chunkSize: number
  readonly uploadAttempts: number
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly idleTimeoutMs: number
}

const GOOGLE = 'https://storage.googleapis.com'
const MIB = 1024 * 1024
/** Every chunk but the last has to be a multiple: https://cloud.google.com/storage/docs/performing-resumable-uploads */
const CHUNK_QUANTUM = 256 * 1024
/** Longer timers run at once in Node. */
const MAX_TIMER_MS = 2 ** 31 - 1
const milliseconds = z.int().min(1).max(MAX_TIMER_MS)

export const gcsConfig: z.ZodType<GcsSettings, GcsConfig> = z
  .strictObject({
    bucket: z.string().refine(isBucketName, 'expected the name of a bucket'),
    prefix: z
      .string()
      .refine(isPrefix, 'expected segments that are neither empty, "." nor "..", up to 512 bytes')
      .default(''),
    keyFile: z.string().min(1).optional(),
    credentials: z.record(z.string(), z.unknown()).readonly().optional(),
    anonymous: z.boolean().optional(),
    endpoint: z
      .string()
      .refine(isEndpoint, 'expected http[s]://host[:port]')
      .transform((text) => text.replace(/\/$/, ''))
      .default(GOOGLE),
    chunkSize: z
      .int()
      .min(CHUNK_QUANTUM)
      .max(1024 * MIB)
      .refine((size) => size % CHUNK_QUANTUM === 0, 'expected a multiple of 262144')
      .default(16 * MIB),
    uploadAttempts: z.int().min(1).max(100).default(8),
    connectTimeoutMs: milliseconds.default(10_000),
    responseTimeoutMs: milliseconds.default(60_000),
    idleTimeoutMs: milliseconds.default(60_000),
  })
  .superRefine(({ keyFile, credentials, anonymous }, context) => {
    const given = [keyFile !== undefined, credentials !== undefined, anonymous === true]
    if (given.filter(Boolean).length < 2) return
    context.addIssue({ code: 'custom', message: 'expected at most one of keyFile, credentials and anonymous: true' })
  })
  .transform(({ keyFile, credentials, anonymous, ...rest }) => {
    const isGoogle = rest.endpoint === GOOGLE
    const isKeyless = keyFile === undefined && credentials === undefined
    return { ...rest, keyFile, credentials, isGoogle, anonymous: anonymous ?? (isKeyless && !isGoogle) }
  })

function isPrefix(text: string): boolean {
  if (Buffer.byteLength(text) > 512 || !text.isWellFormed() || /\p{Cc}/u.test(text)) return false
  const segments = text.split('/')
  return (
    segments.every((part, index) => (part !== '' || index === segments.length - 1) && part !== '.' && part !== '..') &&
    text !== '/'
  )
}

function isEndpoint(text: string): boolean {
  if (!/^https?:\/\/[^/?#@\\\s]+\/?$/.test(text) || !URL.canParse(text)) return false
  const { username, password, pathname } = new URL(text)
  return username === '' && password === '' && pathname === '/'
}
