import { readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import { keystone } from '../auth/keystone/keystone.ts'
import { staticTokens } from '../auth/tokens.ts'
import type { Config } from '../config/config.ts'
import { refusal } from '../config/document.ts'
import { credentialsOf, tokensOf } from '../config/identity.ts'
import { pipelineOf } from '../pipeline/pipeline.ts'
import type { ActorSettings } from '../plugins/actor.ts'
import { codeOf } from './failure.ts'

/** Whoever checks identities. Throws `invalid_config`. Connects when it is first asked. */
export function identityOf(config: Config, log: Logger): ActorSettings['auth'] {
  switch (pipelineOf(config.pipeline).identity) {
    case undefined:
      return 'none'
    case 'trusted':
      return 'trusted'
    case 'tokens':
      return staticTokens(tokensOf(config))
    case 'authtoken':
      return keystoneOf(config, log)
  }
}

function keystoneOf({ keystone: settings, auth: { adminRole } }: Config, log: Logger): ActorSettings['auth'] {
  const { url = '', publicUrl, ca } = settings
  return keystone({
    url,
    publicUrl,
    credentials: credentialsOf(settings),
    ...(ca !== undefined && { ca: certificates(ca) }),
    timeoutMs: settings.timeout * 1000,
    cacheMs: settings.tokenCacheTime * 1000,
    cacheSize: settings.tokenCacheSize,
    serviceType: settings.serviceType,
    serviceRoles: settings.serviceTokenRoles,
    adminRole,
    log: (level, message) => log[level](message),
  })
}

function certificates(file: string): string {
  try {
    const pem = readFileSync(file, 'utf8')
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem
  } catch (error) {
    throw refusal('keystone.ca', `${file}: ${codeOf(error) ?? 'cannot be read'}`)
  }
  throw refusal('keystone.ca', `${file}: expected PEM certificates`)
}
