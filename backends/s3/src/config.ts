import { z } from 'zod'
import { FACTS, type Facts, type Integrity, VENDORS, type Vendor } from './vendor.ts'

export interface S3Config {
  /** Which service it is: sets what is said of it below. Default: aws, or other when there is an endpoint. */
  readonly vendor?: Vendor | undefined
  /** `https://host[:port]`. Default: that of AWS for the region; every other vendor needs one. */
  readonly endpoint?: string | undefined
  readonly region?: string | undefined
  readonly bucket: string
  /** Put before every key, such as `images/`. Only what lies below it is the store's own. Default: empty. */
  readonly prefix?: string | undefined
  /** Default: what the SDK finds in the environment, its files, the container or the machine. */
  readonly accessKeyId?: string | undefined
  readonly secretAccessKey?: string | undefined
  readonly sessionToken?: string | undefined
  /** Hosts besides the endpoint's that locations of Glance name for this bucket. */
  readonly legacyHosts?: readonly string[] | undefined
  readonly pathStyle?: boolean | undefined
  readonly integrity?: Integrity | undefined
  readonly conditionalPut?: boolean | undefined
  readonly conditionalComplete?: boolean | undefined
  readonly copyIfMatch?: boolean | undefined
  readonly equalParts?: boolean | undefined
  readonly maxParts?: number | undefined
  readonly maxSize?: number | undefined
  /** Bytes; an object of more is sent in parts of at least so many. 5 MiB to 5 GiB. Default 8 MiB. */
  readonly partSize?: number | undefined
  /** Parts in flight, as long as they have `partSize` bytes. Default 4. */
  readonly uploadConcurrency?: number | undefined
  /** Tries of each request of an upload. Default 4. */
  readonly uploadAttempts?: number | undefined
  /** Age at which an unfinished upload counts as abandoned and is aborted; false aborts none. Default 7 days. */
  readonly staleUploadMs?: number | false | undefined
  /** For name, connection and TLS, waiting for a free connection included. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /** The longest silence of the service, also before its answer. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined
  /** Open connections; more requests wait. Default 256. */
  readonly maxConnections?: number | undefined
  /** Certificate authorities to trust beside the usual ones: a file name, or PEM text. */
  readonly ca?: string | undefined
}

export interface S3Settings extends Facts {
  readonly vendor: Vendor
  readonly endpoint: string | undefined
  readonly bucket: string
  readonly prefix: string
  readonly credentials: Credentials | undefined
  readonly legacyHosts: readonly string[]
  readonly partSize: number
  readonly uploadConcurrency: number
  readonly uploadAttempts: number
  readonly staleUploadMs: number | false
  readonly connectTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly maxConnections: number
  readonly ca: string | undefined
}

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** Amazon S3 User Guide, "Amazon S3 multipart upload limits". */
export const MIN_PART: number = 5 * 1024 ** 2
export const MAX_PART: number = 5 * 1024 ** 3

/** Longer timers run at once in Node. */
const MAX_TIMER_MS = 2 ** 31 - 1
const milliseconds = z.int().min(1).max(MAX_TIMER_MS)
const secret = z.string().min(1)

const endpoint = z.url({ protocol: /^https?$/ }).superRefine((text, context) => {
  if (!URL.canParse(text)) return // said already
  const { username, password, pathname, search, hash } = new URL(text)
  const message = username || password ? 'credentials have keys of their own' : 'expected no path, query or fragment'
  if (username || password || pathname !== '/' || search || hash) context.addIssue({ code: 'custom', message })
})

const SEGMENTS = /^(?!\/)(?!.*\/\/)(?!(?:.*\/)?\.{1,2}(?:\/|$))[A-Za-z0-9!_.*'()/-]*$/

export const s3Config: z.ZodType<S3Settings, S3Config> = z
  .strictObject({
    vendor: z.enum(VENDORS).optional(),
    endpoint: endpoint.optional(),
    region: z.string().min(1).optional(),
    bucket: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/, 'expected the name of a bucket'),
    prefix: z
      .string()
      .max(512)
      .regex(SEGMENTS, "expected letters, digits and !_.*'()-, in segments that are neither empty, . nor ..")
      .default(''),
    accessKeyId: secret.optional(),
    secretAccessKey: secret.optional(),
    sessionToken: secret.optional(),
    legacyHosts: z.array(z.string().min(1).toLowerCase()).readonly().default([]),
    pathStyle: z.boolean().optional(),
    integrity: z.enum(['crc32', 'md5', 'none']).optional(),
    conditionalPut: z.boolean().optional(),
    conditionalComplete: z.boolean().optional(),
    copyIfMatch: z.boolean().optional(),
    equalParts: z.boolean().optional(),
    maxParts: z.int().min(1).max(10_000).optional(),
    maxSize: z.int().min(1).optional(),
    partSize: z
      .int()
      .min(MIN_PART)
      .max(MAX_PART)
      .default(8 * 1024 ** 2),
    uploadConcurrency: z.int().min(1).max(64).default(4),
    uploadAttempts: z.int().min(1).max(20).default(4),
    staleUploadMs: z.union([z.int().min(60_000), z.literal(false)]).default(7 * 86_400_000),
    connectTimeoutMs: milliseconds.default(10_000),
    idleTimeoutMs: milliseconds.default(60_000),
    maxConnections: z.int().min(1).default(256),
    ca: z.string().min(1).optional(),
  })
  .superRefine(({ vendor, endpoint: url, accessKeyId, secretAccessKey, sessionToken }, context) => {
    const issue = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message })
    if (vendor !== undefined && vendor !== 'aws' && url === undefined) issue('endpoint', `${vendor} needs one`)
    if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
      issue(accessKeyId === undefined ? 'accessKeyId' : 'secretAccessKey', 'expected both keys or neither')
    }
    if (sessionToken !== undefined && accessKeyId === undefined) issue('accessKeyId', 'expected with sessionToken')
  })
  .transform(({ accessKeyId, secretAccessKey, sessionToken, ...given }) => {
    const vendor = vendorOf(given)
    const credentials =
      accessKeyId !== undefined && secretAccessKey !== undefined
        ? { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) }
        : undefined
    return { ...given, vendor, endpoint: given.endpoint, ca: given.ca, credentials, ...factsOf(vendor, given) }
  })

/** The facts about the service that a configuration names, checked or not: what cannot be right counts as unsaid. */
export function statedFacts(config: Partial<S3Config>): Facts {
  const vendor = vendorOf(config)
  return factsOf(VENDORS.includes(vendor) ? vendor : 'other', config)
}

function vendorOf({ vendor, endpoint: url }: Partial<S3Config>): Vendor {
  return vendor ?? (url === undefined ? 'aws' : 'other')
}

function factsOf(vendor: Vendor, stated: Partial<S3Config>): Facts {
  const usual = FACTS[vendor]
  const maxParts = stated.maxParts ?? usual.maxParts
  return {
    region: stated.region ?? usual.region,
    pathStyle: stated.pathStyle ?? usual.pathStyle,
    integrity: stated.integrity ?? usual.integrity,
    conditionalPut: stated.conditionalPut ?? usual.conditionalPut,
    conditionalComplete: stated.conditionalComplete ?? usual.conditionalComplete,
    copyIfMatch: stated.copyIfMatch ?? usual.copyIfMatch,
    equalParts: stated.equalParts ?? usual.equalParts,
    maxParts,
    maxSize: Math.min(stated.maxSize ?? usual.maxSize, maxParts * MAX_PART),
  }
}
