import { z } from 'zod'

/** Where the cluster is, as whom, and which pool. What is not given comes from Ceph's own configuration file. */
export interface RbdConfig {
  readonly pool: string
  /** RBD namespace within the pool. Default: the pool's own, unnamed one. */
  readonly namespace?: string | undefined
  /** The cephx user without `client.`. Default admin. */
  readonly user?: string | undefined
  /** Default: the first of Ceph's usual places, unless `monHost` is given; then none is read. */
  readonly confFile?: string | undefined
  /** Monitors, as `mon_host` of ceph.conf has them: `10.0.0.1,10.0.0.2` or `v2:10.0.0.1:3300`. */
  readonly monHost?: string | undefined
  /** A keyring file. */
  readonly keyring?: string | undefined
  /** The secret itself, instead of a keyring. */
  readonly key?: string | undefined
  /** The cluster's id. Checked when connected; tells apart stores on equally named pools before that. */
  readonly fsid?: string | undefined
  /** Bytes per RADOS object of new images: a power of two, 4 KiB to 32 MiB. Default 8 MiB. */
  readonly objectSize?: number | undefined
  /** Features of new images. Must hold `layering`. Default: the cluster's. */
  readonly features?: readonly Feature[] | undefined
  /** Leaves out runs of zeros. Default false. */
  readonly sparse?: boolean | undefined
  /** Objects in flight per upload, each of `objectSize` bytes. Default 4. */
  readonly uploadConcurrency?: number | undefined
  /** Pieces in flight per download, each of at most 4 MiB. Default 4. */
  readonly downloadConcurrency?: number | undefined
  /** For finding the monitors and logging in. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /** For each single operation of the cluster. Default 30,000. */
  readonly operationTimeoutMs?: number | undefined
  /** Age at which the unpublished image of a crashed upload is removed; false never. Default 7 days. */
  readonly staleUploadMs?: number | false | undefined
  /** Moves images that clones or other snapshots depend on to the trash instead of refusing `in_use`. Default false. */
  readonly trash?: boolean | undefined
  /** How long the trash keeps them at least. Default 0. */
  readonly trashDelayMs?: number | undefined
}

export type Feature = keyof typeof FEATURE_BITS

export interface RbdSettings {
  readonly pool: string
  readonly namespace?: string | undefined
  readonly user: string
  readonly confFile?: string | undefined
  readonly monHost?: string | undefined
  readonly keyring?: string | undefined
  readonly key?: string | undefined
  readonly fsid?: string | undefined
  readonly objectSize: number
  readonly features?: readonly Feature[] | undefined
  readonly sparse: boolean
  readonly uploadConcurrency: number
  readonly downloadConcurrency: number
  readonly connectTimeoutMs: number
  readonly operationTimeoutMs: number
  readonly staleUploadMs: number | false
  readonly trash: boolean
  readonly trashDelayMs: number
}

/** include/rbd/features.h */
export const FEATURE_BITS = {
  layering: 1,
  striping: 2,
  'exclusive-lock': 4,
  'object-map': 8,
  'fast-diff': 16,
  'deep-flatten': 32,
  journaling: 64,
} as const

const MIB = 1024 ** 2
const DAY_MS = 86_400_000

/** What a timer of Node takes, less the patience with the process of librbd after the limit. */
const MOST_MS = 2 ** 31 - 1 - 10_000
/** Checked by librbd too, once an image is created (librbd/image/CreateRequest.cc, validate_features). */
const REQUIRED = [
  ['object-map', 'exclusive-lock'],
  ['fast-diff', 'object-map'],
  ['journaling', 'exclusive-lock'],
] as const

const milliseconds = z.int().min(1).max(MOST_MS)
/** What would end a part of `pool/namespace/image@snapshot`. */
const name = z.string().regex(/^[^/@\0]+$/, 'expected a name without slash, @ and NUL')
const text = z.string().regex(/^[^\0\r\n]+$/, 'expected one line of text')
const featureNames = Object.keys(FEATURE_BITS) as [Feature, ...Feature[]]

export const rbdConfig: z.ZodType<RbdSettings, RbdConfig> = z
  .strictObject({
    pool: name,
    namespace: name.optional(),
    user: text.refine((user) => !user.startsWith('client.'), 'expected a user without "client."').default('admin'),
    confFile: text.optional(),
    monHost: text.optional(),
    keyring: text.optional(),
    key: text.optional(),
    fsid: z.guid().toLowerCase().optional(),
    objectSize: z
      .int()
      .min(4096)
      .max(32 * MIB)
      .refine((bytes) => Number.isInteger(Math.log2(bytes)), 'expected a power of two')
      .default(8 * MIB),
    features: z
      .array(z.enum(featureNames))
      .refine((features) => features.includes('layering'), 'must hold layering, which protected snapshots need')
      .readonly()
      .optional(),
    sparse: z.boolean().default(false),
    uploadConcurrency: z.int().min(1).max(64).default(4),
    downloadConcurrency: z.int().min(1).max(64).default(4),
    connectTimeoutMs: milliseconds.default(10_000),
    operationTimeoutMs: milliseconds.default(30_000),
    staleUploadMs: z.union([z.literal(false), z.int().min(1)]).default(7 * DAY_MS),
    trash: z.boolean().default(false),
    trashDelayMs: z.int().min(0).default(0),
  })
  .superRefine(({ key, keyring, trash, trashDelayMs, features = [] }, context) => {
    for (const [feature, needed] of REQUIRED) {
      if (!features.includes(feature) || features.includes(needed)) continue
      context.addIssue({ code: 'custom', path: ['features'], message: `${feature} needs ${needed}` })
    }
    if (key !== undefined && keyring !== undefined) {
      context.addIssue({ code: 'custom', path: ['key'], message: 'expected at most one of key and keyring' })
    }
    if (!trash && trashDelayMs > 0) {
      context.addIssue({ code: 'custom', path: ['trashDelayMs'], message: 'means nothing without trash' })
    }
  })
