import { z } from 'zod'
import type { Config } from './config.ts'
import { auth } from './sections/auth.ts'
import { cache } from './sections/cache.ts'
import { copies } from './sections/copies.ts'
import { cors } from './sections/cors.ts'
import { database } from './sections/database.ts'
import { deletion } from './sections/deletion.ts'
import { images } from './sections/images.ts'
import { keystone } from './sections/keystone.ts'
import { limits } from './sections/limits.ts'
import { log } from './sections/log.ts'
import { notifications } from './sections/notifications.ts'
import { pipeline } from './sections/pipeline.ts'
import { policy } from './sections/policy.ts'
import { protections } from './sections/protections.ts'
import { registry } from './sections/registry.ts'
import { seconds } from './sections/values.ts'

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
  pipeline: pipeline.prefault({}),
  auth: auth.prefault({}),
  keystone: keystone.prefault({}),
  cors: cors.prefault({}),
  limits: limits.prefault({}),
  images: images.prefault({}),
  deletion: deletion.prefault({}),
  policy: policy.prefault({}),
  protections: protections.prefault({}),
  copies: copies.prefault({}),
  cache: cache.prefault({}),
  database: database.prefault({}),
  registry: registry.prefault({}),
  notifications: notifications.prefault({}),
  stores: z.record(z.string().regex(STORE_NAME, 'expected a name of a-z, 0-9, _ and -'), storeTable).default({}),
})
