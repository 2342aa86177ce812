import { z } from 'zod'

/** Who we are, and where that is checked. */
export type SwiftAuth = V1Auth | PasswordAuth | ApplicationCredentialAuth | TokenAuth

/** TempAuth of Swift, `/auth/v1` of radosgw. */
export interface V1Auth {
  readonly type: 'v1'
  readonly url: string
  /** Such as `account:user`. */
  readonly user: string
  readonly key: string
}

/** Keystone v3. */
export interface PasswordAuth {
  readonly type: 'password'
  /** Of the identity service, with or without `/v3`. */
  readonly url: string
  /** Exactly one of `user` and `userId`. */
  readonly user?: string | undefined
  readonly userId?: string | undefined
  /** Name of the domain of `user`. Default: the domain with the id `default`. */
  readonly userDomain?: string | undefined
  readonly userDomainId?: string | undefined
  readonly password: string
  /** Exactly one of `project` and `projectId`. */
  readonly project?: string | undefined
  readonly projectId?: string | undefined
  /** Name of the domain of `project`. Default: the domain with the id `default`. */
  readonly projectDomain?: string | undefined
  readonly projectDomainId?: string | undefined
}

/** Keystone v3. By `id`, or by `name` and its user. */
export interface ApplicationCredentialAuth {
  readonly type: 'applicationCredential'
  readonly url: string
  readonly id?: string | undefined
  readonly name?: string | undefined
  readonly user?: string | undefined
  readonly userId?: string | undefined
  readonly userDomain?: string | undefined
  readonly userDomainId?: string | undefined
  readonly secret: string
}

/** A token made elsewhere; when it ends, so does the store. Needs `url` (Keystone v3) or `storageUrl`. */
export interface TokenAuth {
  readonly type: 'token'
  readonly token: string
  readonly url?: string | undefined
}

export interface SwiftConfig {
  readonly auth: SwiftAuth
  /** Of the service in the catalogue. Default: the first that offers it. */
  readonly region?: string | undefined
  /** Default: public. */
  readonly interface?: 'public' | 'internal' | 'admin' | undefined
  /** Default: object-store. */
  readonly serviceType?: string | undefined
  /** Of the account, such as `https://host/v1/AUTH_x`: used in place of what the identity service says. */
  readonly storageUrl?: string | undefined
  /** Storage URLs that the account had: locations with one of them are read at the present one. */
  readonly formerStorageUrls?: readonly string[] | undefined
  /** Auth URLs whose locations with credentials, as Glance wrote them, may be read. Default: `auth.url`. */
  readonly legacyAuthUrls?: readonly string[] | undefined
  /** Writes locations as `swift+config://reference/container/object`, which hold no address at all. */
  readonly reference?: string | undefined
  /** Default: glance. */
  readonly container?: string | undefined
  /** Hexadecimal digits of the key that choose one of many containers, 0 to 32. Default 0: one container. */
  readonly multipleContainersSeed?: number | undefined
  /** A container for each image, `<container>_<key>`, deleted with it; access lists are possible. Default false. */
  readonly multiTenant?: boolean | undefined
  /** Projects that may write to every image, with `multiTenant`. Default none. */
  readonly adminTenants?: readonly string[] | undefined
  /** Creates containers that are missing. Default false, but `multiTenant` creates its own. */
  readonly createContainer?: boolean | undefined
  /** For segments of large objects. Default `<container>_segments`, with `multiTenant` the container itself. */
  readonly segmentsContainer?: string | undefined
  /** Bytes up to which an object of known size is stored as one. Default 5 GiB. */
  readonly largeObjectSize?: number | undefined
  /** Bytes of a segment; they grow where 1000 of them would not do. Default 200 MiB. */
  readonly segmentSize?: number | undefined
  /** Segments in flight: one is sent while the others wait for their answers. Default 2. */
  readonly uploadConcurrency?: number | undefined
  /**
   * How long a writer looks whether another one writes the same key: longer than the smallest request of the cluster takes.
   * Default 500. False: does not look, and `exclusiveWrite` is not promised.
   */
  readonly exclusiveWaitMs?: number | false | undefined
  /** Age at which segments without an object count as abandoned. Default 7 days; false never sweeps. */
  readonly staleUploadMs?: number | false | undefined
  /** How long before its end a token is replaced. Default 60,000. */
  readonly renewBeforeMs?: number | undefined
  /** Each for looking up the name, for connecting and for TLS. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /** From the last byte of a request to the headers of its answer. Default 60,000. */
  readonly responseTimeoutMs?: number | undefined
  /** The longest wait for the next bytes, sent or received, while somebody wants them. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined
  /** How long the server may take to copy one segment. Default 600,000. */
  readonly copyTimeoutMs?: number | undefined
  /** Open connections for reading, and as many for writing; more wait. Up to 16 more of each for short requests. Default 64. */
  readonly maxConnections?: number | undefined
  /** Certificate authorities to trust beside the usual ones: a file name, or PEM text. */
  readonly ca?: string | undefined
}

type Unfilled = 'region' | 'storageUrl' | 'reference' | 'segmentsContainer' | 'ca'

/** The configuration with its defaults. */
export type SwiftSettings = Pick<SwiftConfig, Unfilled> & {
  readonly [K in Exclude<keyof SwiftConfig, Unfilled>]-?: Exclude<SwiftConfig[K], undefined>
}

const MIB = 1024 ** 2
/** Longer timers run at once in Node. */
const milliseconds = z
  .int()
  .min(1)
  .max(2 ** 31 - 1)
const text = z.string().min(1, 'expected a text, received an empty one')
const bytes = z.int().min(1)
/** Of HTTP headers: nothing that could end one. */
const header = text.regex(/^[^\p{Cc}]+$/u, 'holds control characters')
const container = z
  .string()
  .regex(/^[^/\p{Cc}]+$/u, 'expected a name without slashes and control characters')
  .refine((name) => Buffer.byteLength(name) <= 200, 'expected at most 200 bytes')
  .refine((name) => name !== '.' && name !== '..', 'expected a name')
const webUrl = z
  .url({ protocol: /^https?$/, error: 'expected http://… or https://…' })
  .refine((url) => !/[@?#]/.test(url), 'expected a URL without credentials, query and fragment')
  .transform((url) => url.replace(/\/+$/, ''))

const user = {
  user: text.optional(),
  userId: text.optional(),
  userDomain: text.optional(),
  userDomainId: text.optional(),
}

const v1 = z.strictObject({ type: z.literal('v1'), url: webUrl, user: header, key: header })
const password = z
  .strictObject({
    type: z.literal('password'),
    url: webUrl,
    ...user,
    password: text,
    project: text.optional(),
    projectId: text.optional(),
    projectDomain: text.optional(),
    projectDomainId: text.optional(),
  })
  .refine((it) => exactlyOne(it.user, it.userId), 'expected exactly one of user and userId')
  .refine((it) => exactlyOne(it.project, it.projectId), 'expected exactly one of project and projectId')
const applicationCredential = z
  .strictObject({
    type: z.literal('applicationCredential'),
    url: webUrl,
    id: text.optional(),
    name: text.optional(),
    ...user,
    secret: text,
  })
  .refine((it) => exactlyOne(it.id, it.name), 'expected exactly one of id and name')
  .refine(
    (it) => it.name === undefined || exactlyOne(it.user, it.userId),
    'a credential by name needs exactly one of user and userId',
  )
const token = z.strictObject({ type: z.literal('token'), token: header, url: webUrl.optional() })

export const configSchema: z.ZodType<SwiftSettings, SwiftConfig> = z
  .strictObject({
    auth: z.discriminatedUnion('type', [v1, password, applicationCredential, token]),
    region: text.optional(),
    interface: z.enum(['public', 'internal', 'admin']).default('public'),
    serviceType: text.default('object-store'),
    storageUrl: webUrl.optional(),
    formerStorageUrls: z.array(webUrl).readonly().default([]),
    legacyAuthUrls: z.array(webUrl).readonly().default([]),
    reference: z
      .string()
      .regex(/^[A-Za-z0-9._-]+$/, 'expected A-Z a-z 0-9 . _ -')
      .optional(),
    container: container.default('glance'),
    multipleContainersSeed: z.int().min(0).max(32).default(0),
    multiTenant: z.boolean().default(false),
    adminTenants: z
      .array(header.regex(/^[^,]+$/, 'holds a comma'))
      .readonly()
      .default([]),
    createContainer: z.boolean().default(false),
    segmentsContainer: container.optional(),
    largeObjectSize: bytes.default(5 * 1024 * MIB),
    segmentSize: bytes.default(200 * MIB),
    uploadConcurrency: z.int().min(1).max(64).default(2),
    exclusiveWaitMs: z.union([milliseconds, z.literal(false)]).default(500),
    staleUploadMs: z.union([z.int().min(60_000), z.literal(false)]).default(7 * 24 * 60 * 60 * 1000),
    renewBeforeMs: z.int().min(0).default(60_000),
    connectTimeoutMs: milliseconds.default(10_000),
    responseTimeoutMs: milliseconds.default(60_000),
    idleTimeoutMs: milliseconds.default(60_000),
    copyTimeoutMs: milliseconds.default(600_000),
    maxConnections: z.int().min(1).default(64),
    ca: text.optional(),
  })
  .superRefine((config, context) => {
    const { auth, storageUrl, multiTenant, multipleContainersSeed, reference, adminTenants } = config
    const issue = (message: string): void => context.addIssue({ code: 'custom', message })
    if (auth.type === 'token' && auth.url === undefined && storageUrl === undefined) {
      issue('a token needs auth.url or storageUrl')
    }
    if (multiTenant && multipleContainersSeed > 0) issue('multiTenant and multipleContainersSeed exclude each other')
    if (multiTenant && reference !== undefined) issue('multiTenant and reference exclude each other')
    if (multiTenant && config.segmentsContainer !== undefined) {
      issue('multiTenant keeps segments beside their image: segmentsContainer has no meaning')
    }
    if (!multiTenant && adminTenants.length > 0) issue('adminTenants needs multiTenant')
  })

function exactlyOne(one: unknown, other: unknown): boolean {
  return (one === undefined) !== (other === undefined)
}
