import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import { type CorsSettings, shareWithOrigins } from '../plugins/cors.ts'
import { believeProxies } from '../plugins/forwarded.ts'
import { codeBodies } from '../plugins/gzip.ts'
import { checkHealth, HEALTHCHECK } from '../plugins/healthcheck.ts'
import { negotiateVersion } from '../plugins/versions.ts'
import type { FrontStep } from './flavours.ts'

export interface FrontSettings {
  readonly steps: readonly FrontStep[]
  /** While the file is there, the server says that it is out of service. */
  readonly healthcheckDisableFile?: string | undefined
  /** Addresses and networks of proxies whose word counts; none: nobody's does. */
  readonly trustedProxies: readonly string[]
  /** Without origins there is nothing to share. */
  readonly cors: CorsSettings
}

/** What every request passes before it comes to an API. */
export function installFront(app: FastifyInstance, settings: FrontSettings): void {
  for (const step of settings.steps) {
    if (step !== 'versionnegotiation') app.register(shared((scope) => INSTALL[step](scope, settings)))
  }
}

/** Where a request goes, undefined where versions are not negotiated: then only full paths lead anywhere. */
export function rewriteOf(steps: readonly FrontStep[]): ((request: IncomingMessage) => string) | undefined {
  if (!steps.includes('versionnegotiation')) return undefined
  if (!steps.includes('healthcheck')) return negotiateVersion
  return (request) => {
    const path = (request.url ?? '').replace(/\?.*$/s, '')
    return path === HEALTHCHECK ? HEALTHCHECK : negotiateVersion(request)
  }
}

type Installed = Exclude<FrontStep, 'versionnegotiation'> // that one is a rewrite: it comes before all hooks

const INSTALL: { readonly [S in Installed]: (app: FastifyInstance, settings: FrontSettings) => unknown } = {
  async cors(app, { cors }) {
    if (cors.allowedOrigins.length > 0) await shareWithOrigins(app, cors)
  },
  healthcheck: (app, { healthcheckDisableFile }) => checkHealth(app, healthcheckDisableFile),
  http_proxy_to_wsgi(app, { trustedProxies }) {
    if (trustedProxies.length > 0) believeProxies(app, trustedProxies)
  },
  gzip: (app) => codeBodies(app),
}

/** A plugin whose hooks are for the whole application (Fastify's `skip-override`). */
export function shared(install: (app: FastifyInstance) => unknown): FastifyPluginAsync {
  const plugin: FastifyPluginAsync = async (app) => {
    await install(app)
  }
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true })
}
