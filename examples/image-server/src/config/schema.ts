import { REFUSED_SCHEMES } from 'mullion/images'
import { z } from 'zod'
import type { Config, PolicyConfig } from './config.ts'

const LONGEST_TIMER = 2_147_483 // seconds: setTimeout counts milliseconds in 31 bits
const seconds = () => z.number().min(0).max(LONGEST_TIMER)
const count = () => z.int().min(0)
const names = (least: number) =>
  z.array(z.string().regex(/^[\x21-\x7e]+$/, 'expected visible ASCII without blanks')).min(least)

const log = z.strictObject({
  level: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least severe entry that is logged. The log is JSON, one entry a line, on standard error.'),
})

const auth = z.strictObject({
  flavour: z
    .enum(['none', 'trusted'])
    .default('none')
    .describe(
      '`none`: no authentication, every request acts as an administrator. `trusted`: the identity headers ' +
        '(`X-Identity-Status`, `X-User-Id`, `X-Project-Id`, `X-Roles`) are believed; only a proxy that sets them may reach the port.',
    ),
  adminRole: z.string().min(1).default('admin').describe('Role that makes an administrator, in any case.'),
  ownerIsTenant: z
    .boolean()
    .default(true)
    .describe('Whether the project owns what is created; otherwise the user does.'),
  allowAnonymousAccess: z
    .boolean()
    .default(false)
    .describe('With `trusted`: requests without a confirmed identity may read public images instead of getting 401.'),
  allowAnonymousWrites: z
    .boolean()
    .optional()
    .describe('With `none`: whether requests may change anything. Not set: only while `host` is a loopback address.'),
})

const limits = z.strictObject({
  imageSizeCap: z.int().min(1).default(1_099_511_627_776).describe('Bytes of the largest image that is taken in.'),
  imagePropertyQuota: z.int().min(-1).default(128).describe('Custom properties of an image; -1 for no limit.'),
  limitParamDefault: z.int().min(1).default(25).describe('Images on a page of a list when the request does not say.'),
  apiLimitMax: z.int().min(1).default(1000).describe('Images on a page of a list at most.'),
  maxHeaderLine: z.int().min(256).max(65_536).default(16_384).describe('Bytes of one header line.'),
  maxRequestIdLength: count().default(64).describe('Characters of `X-Openstack-Request-ID`; 0 for no limit.'),
})

const images = z.strictObject({
  diskFormats: names(1)
    .default(['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso'])
    .describe('Disk formats that an image may have.'),
  containerFormats: names(1)
    .default(['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker'])
    .describe('Container formats that an image may have.'),
  refusedSchemes: names(0)
    .default([...REFUSED_SCHEMES])
    .describe(
      'Schemes that nobody may register or copy from, although a store serves them: they lead to the storage of the operator.',
    ),
})

const deletion = z.strictObject({
  delayedDelete: z.boolean().default(false).describe('Keep the data of deleted images until the scrubber removes it.'),
  scrubTime: seconds().default(0).describe('Seconds that the data of a deleted image is kept at least.'),
  wakeupTime: seconds().min(1).default(300).describe('Seconds between two runs of the scrubber.'),
})

const RULES = {
  getImages: ['@', 'list images'],
  getImage: ['@', 'see the record of an image'],
  downloadImage: ['@', 'download the data of an image'],
  addImage: ['@', 'create an image'],
  modifyImage: ['@', 'change an image'],
  publicizeImage: ['admin', 'make an image public'],
  copyFrom: ['@', 'have an image copied from another server'],
  uploadImage: ['@', 'send the data of an image'],
  setImageLocation: ['@', 'register data that lies on another server'],
  deleteImage: ['@', 'delete an image'],
} as const satisfies Record<keyof PolicyConfig, readonly [string, string]>

const rule = (role: string, what: string) => names(0).default([role]).describe(`Roles that may ${what}.`)
const policy = z.strictObject(
  Object.fromEntries(Object.entries(RULES).map(([action, [role, what]]) => [action, rule(role, what)])) as {
    [A in keyof PolicyConfig]: ReturnType<typeof rule>
  },
)

const copies = z.strictObject({
  concurrency: z.int().min(1).max(64).default(2).describe('Images copied from other servers at the same time.'),
  pollInterval: seconds().min(0.01).default(1).describe('Seconds until an idle worker looks for work again.'),
})

const registry = z.strictObject({
  encryptionKeys: z
    .array(z.string().regex(/^[A-Za-z0-9._-]{1,64}=/, 'expected ID=KEY'))
    .default([])
    .describe(
      'Encrypt the locations of images in the database: `ID=KEY`, the key 32 random bytes in base64 ' +
        '(`openssl rand -base64 32`) or a reference to them. The first key writes, all of them read.',
    )
    .meta({ secret: true }),
  refusePlain: z.boolean().default(false).describe('Refuse locations that were stored before there was a key.'),
})

const STORE_NAME = /^[a-z][a-z0-9_-]{0,62}$/
const storeTable = z.looseObject({
  type: z.string().min(1).describe('Name of the plugin.'),
  enabled: z.boolean().default(true).describe('Whether the store is opened.'),
})

/** The one description of every key: validation, environment variables and the reference page come from it. */
export const configSchema: z.ZodType<Config> = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('Address to listen on.'),
  port: z.int().min(0).max(65_535).default(9292).describe('Port to listen on; 0 lets the system choose.'),
  dataDir: z
    .string()
    .min(1)
    .default('./data')
    .describe('Directory of the database and of the default store; made when missing.'),
  publicEndpoint: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL' })
    .optional()
    .describe('URL under which clients reach the server, for links in answers. Not set: taken from each request.'),
  defaultStore: z.string().min(1).default('file').describe('Store for uploads that name none.'),
  shutdownGrace: seconds().default(30).describe('Seconds that transfers may go on after SIGTERM or SIGINT.'),
  clientSocketTimeout: seconds()
    .default(900)
    .describe('Seconds without a byte after which a connection is closed; 0 for never.'),
  log: log.prefault({}),
  auth: auth.prefault({}),
  limits: limits.prefault({}),
  images: images.prefault({}),
  deletion: deletion.prefault({}),
  policy: policy.prefault({}),
  copies: copies.prefault({}),
  registry: registry.prefault({}),
  stores: z.record(z.string().regex(STORE_NAME, 'expected a name of a-z, 0-9, _ and -'), storeTable).default({}),
})
