import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import type { Ports } from 'mullion/images'
import { answerError } from './errors.ts'
import { answerEarly } from './plugins/early-answer.ts'
import { answerClientError, closeConnectionsInTurn, createHttpServer, limitRequests } from './plugins/http-server.ts'
import { requestId } from './plugins/request-id.ts'
import { answerVersions, negotiateVersion } from './plugins/versions.ts'
import type { ServerPorts, V1Settings } from './v1/context.ts'
import { imagesV1 } from './v1/index.ts'

export interface AppSettings extends V1Settings {
  /** URL under which clients reach the server, for the list of versions. Undefined: taken from each request. */
  readonly publicEndpoint?: string | undefined
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
  const app: FastifyInstance = Fastify({
    ...(settings.logger === undefined ? { logger: false } : { loggerInstance: settings.logger }),
    serverFactory: createHttpServer,
    clientErrorHandler: answerClientError,
    frameworkErrors: answerError,
    genReqId: (request) => requestId(request, settings.auth === 'trusted', settings.maxRequestIdLength),
    rewriteUrl: negotiateVersion,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 8_192 },
  })
  app.setErrorHandler(answerError)
  closeConnectionsInTurn(app)
  answerEarly(app, settings)
  limitRequests(app, settings.maxHeaderLine)
  app.setNotFoundHandler(answerVersions(settings.publicEndpoint))
  app.register(imagesV1, { prefix: '/v1', ports, settings })
  return app
}
