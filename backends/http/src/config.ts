import { z } from 'zod'
import type { GuardRules } from './guard.ts'
import { parsePattern } from './pattern.ts'

/** Every limit has a default; `http()` reaches public addresses only. */
export interface HttpConfig extends GuardRules {
  /** Certificate authorities to trust beside the usual ones: a file name, or PEM text. */
  readonly ca?: string | undefined
  /** Hops of one request. Default 5; 0 follows none. */
  readonly maxRedirects?: number | undefined
  /** Each for looking up the name, for connecting and for TLS. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /** From asking to the headers of the answer, waiting for a free connection included; per hop. Default 30,000. */
  readonly responseTimeoutMs?: number | undefined
  /** The longest wait for the next bytes while somebody wants them. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined
  /** Open connections per origin; more requests wait. Default 256. */
  readonly maxConnections?: number | undefined
  /** Bytes to read and drop when a server ignores the range that was asked for. Default 1 GiB. */
  readonly maxSkip?: number | undefined
  /** Default: mullion. */
  readonly userAgent?: string | undefined
}

export interface HttpSettings extends GuardRules {
  readonly ca?: string | undefined
  readonly maxRedirects: number
  readonly connectTimeoutMs: number
  readonly responseTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxConnections: number
  readonly maxSkip: number
  readonly userAgent: string
}

/** Longer timers run at once in Node. */
const MAX_TIMER_MS = 2 ** 31 - 1
const milliseconds = z.int().min(1).max(MAX_TIMER_MS)
const patterns = z.array(
  z.string().refine((text) => parsePattern(text) !== undefined, 'expected a CIDR block, address or host name'),
)

export const httpConfig: z.ZodType<HttpSettings, HttpConfig> = z.strictObject({
  allow: patterns.readonly().optional(),
  deny: patterns.readonly().optional(),
  schemes: z
    .array(z.enum(['http', 'https']))
    .min(1)
    .readonly()
    .optional(),
  ports: z.array(z.int().min(1).max(65_535)).min(1).readonly().optional(),
  ca: z.string().min(1).optional(),
  maxRedirects: z.int().min(0).max(20).default(5),
  connectTimeoutMs: milliseconds.default(10_000),
  responseTimeoutMs: milliseconds.default(30_000),
  idleTimeoutMs: milliseconds.default(60_000),
  maxConnections: z.int().min(1).default(256),
  maxSkip: z
    .int()
    .min(0)
    .default(1024 ** 3),
  userAgent: z
    .string()
    .regex(/^[\x20-\x7e]+$/, 'expected printable ASCII')
    .default('mullion'),
})
