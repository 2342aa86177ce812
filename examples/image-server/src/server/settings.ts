import { BlockList, isIP } from 'node:net'
import type { Logger } from 'pino'
import type { AppSettings } from '../app.ts'
import type { Config } from '../config/config.ts'

const DRAIN_BYTES = 1024 * 1024 // what is under way when a refusal is sent: socket buffers of both sides, generously
const DRAIN_MS = 2_000

/** What the application is told, from what the operator wrote. */
export function appSettings(config: Config, log: Logger): AppSettings {
  const { auth, limits, images, deletion } = config
  return {
    publicEndpoint: config.publicEndpoint,
    auth: auth.flavour,
    allowAnonymousWrites: allowsAnonymousWrites(config),
    allowAnonymousAccess: auth.allowAnonymousAccess,
    ownerIsTenant: auth.ownerIsTenant,
    adminRole: auth.adminRole,
    diskFormats: images.diskFormats,
    containerFormats: images.containerFormats,
    refusedSchemes: images.refusedSchemes,
    imageSizeCap: limits.imageSizeCap,
    propertyQuota: limits.imagePropertyQuota,
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
