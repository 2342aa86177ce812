import { BlockList, isIP } from 'node:net'
import type { Logger } from 'pino'
import type { AppSettings } from '../app.ts'
import type { Config } from '../config/config.ts'
import { storageQuota } from '../config/sections/limits.ts'
import type { FrontSettings } from '../pipeline/front.ts'
import { pipelineOf } from '../pipeline/pipeline.ts'
import { identityOf } from './identity.ts'

const DRAIN_BYTES = 1024 * 1024 // what is under way when a refusal is sent: socket buffers of both sides, generously
const DRAIN_MS = 2_000

/** What the application is told, from what the operator wrote. Throws `invalid_config`. */
export function appSettings(config: Config, log: Logger): AppSettings {
  const { auth, limits, images, deletion } = config
  return {
    publicEndpoint: config.publicEndpoint,
    front: frontSettings(config),
    cacheManagement: pipelineOf(config.pipeline).cacheManagement,
    auth: identityOf(config, log),
    allowAnonymousWrites: allowsAnonymousWrites(config),
    allowAnonymousAccess: auth.allowAnonymousAccess,
    ownerIsTenant: auth.ownerIsTenant,
    adminRole: auth.adminRole,
    diskFormats: images.diskFormats,
    containerFormats: images.containerFormats,
    refusedSchemes: images.refusedSchemes,
    imageSizeCap: limits.imageSizeCap,
    propertyQuota: limits.imagePropertyQuota,
    propertiesSize: limits.imagePropertiesSize,
    memberQuota: limits.imageMemberQuota,
    storageQuota: storageQuota(limits.userStorageQuota),
    limitParamDefault: limits.limitParamDefault,
    apiLimitMax: limits.apiLimitMax,
    maxHeaderLine: limits.maxHeaderLine,
    maxRequestIdLength: limits.maxRequestIdLength,
    delayedDelete: deletion.delayedDelete,
    idleTimeoutMs: inMs(config.clientSocketTimeout),
    drainBytes: DRAIN_BYTES,
    drainMs: DRAIN_MS,
    logger: log,
  }
}

function frontSettings({ pipeline, cors }: Config): FrontSettings {
  const { healthcheckDisableFile, trustedProxies } = pipeline
  const { maxAge: maxAgeSeconds, ...shared } = cors
  return {
    steps: pipelineOf(pipeline).front,
    healthcheckDisableFile,
    trustedProxies,
    cors: { ...shared, maxAgeSeconds },
  }
}

/** Without authentication everybody is an administrator: that is for this machine only, unless the operator says so. */
export function allowsAnonymousWrites({ host, auth }: Config): boolean {
  return auth.allowAnonymousWrites ?? isLoopback(host)
}

export function inMs(seconds: number): number {
  return Math.round(seconds * 1000)
}

export function isLoopback(host: string): boolean {
  const family = isIP(host)
  return family === 0 ? host.toLowerCase() === 'localhost' : LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4')
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')
