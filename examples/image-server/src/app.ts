import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import type { Ports } from 'mullion/images'
import { cacheManagement } from './cache/manage.ts'
import { answerError, ApiError } from './errors.ts'
import { type FrontSettings, installFront, rewriteOf, shared } from './pipeline/front.ts'
import { answerEarly } from './plugins/early-answer.ts'
import { answerClientError, closeConnectionsInTurn, createHttpServer, limitRequests } from './plugins/http-server.ts'
import { requestId } from './plugins/request-id.ts'
import { answerVersions } from './plugins/versions.ts'
import type { ServerPorts, V1Settings } from './v1/context.ts'
import { imagesV1 } from './v1/index.ts'

export interface AppSettings extends V1Settings {
  /** URL under which clients reach the server, for the list of versions. Undefined: taken from each request. */
  readonly publicEndpoint?: string | undefined
  /** What comes before the API. Default: versions are negotiated. */
  readonly front?: FrontSettings | undefined
  /** Whether the cache has an API of its own; there has to be one in the ports. Default: no. */
  readonly cacheManagement?: boolean
  /** Octets of one header line. */
  readonly maxHeaderLine: number
  /** How much of a refused body is read and forgotten, and for how long, so that its sender can read the answer. */
  readonly drainBytes: number
  readonly drainMs: number
  /** Undefined: nothing is logged. */
  readonly logger?: FastifyBaseLogger | undefined
}

/** The server, ready to listen or to be injected. Does no I/O of its own; closing it does not close the ports. */
export function buildApp(ports: Ports & ServerPorts, settings: AppSettings): FastifyInstance {
  const { auth, front, logger } = settings
  const rewriteUrl = rewriteOf(front?.steps ?? ['versionnegotiation'])
  const app: FastifyInstance = Fastify({
    ...(logger === undefined ? { logger: false } : { loggerInstance: logger }),
    ...(rewriteUrl && { rewriteUrl }),
    serverFactory: (handler) => createHttpServer(handler),
    clientErrorHandler: answerClientError,
    frameworkErrors: answerError,
    genReqId: (request) => requestId(request, auth !== 'none', settings.maxRequestIdLength),
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 8_192 },
  })
  app.setErrorHandler(answerError)
  closeConnectionsInTurn(app)
  limitRequests(app, settings.maxHeaderLine)
  if (front) installFront(app, front)
  app.register(shared((scope) => answerEarly(scope, settings))) // the last to see a body: it may keep it open
  app.setNotFoundHandler(rewriteUrl ? answerVersions(settings.publicEndpoint) : nothingHere)
  app.register(imagesV1, { prefix: '/v1', ports, settings })
  const { cache } = ports
  if (cache && settings.cacheManagement) app.register(cacheManagement, { prefix: '/v1', ports, cache, settings })
  if (typeof auth === 'object') app.addHook('onClose', async () => auth.close?.())
  return app
}

function nothingHere(): never {
  throw new ApiError(404)
}
