import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { answerError } from '../errors.ts'
import { answerEarly } from '../plugins/early-answer.ts'
import { answerClientError, closeConnectionsInTurn, createHttpServer, limitRequests } from '../plugins/http-server.ts'
import { requestId } from '../plugins/request-id.ts'
import type { RegistryPorts, RegistrySettings } from './context.ts'
import { answerRegistryError } from './errors.ts'
import { registryV1 } from './v1.ts'

export interface RegistryAppSettings extends RegistrySettings {
  /** Octets of one header line. */
  readonly maxHeaderLine: number
  /** Until a request has arrived completely. */
  readonly requestTimeoutMs: number
  /** Undefined: nothing is logged. */
  readonly logger?: FastifyBaseLogger | undefined
}

/** What is read and forgotten of a refused body, and for how long. */
const DRAIN = { drainBytes: 1024 * 1024, drainMs: 2_000 }

/** The registry, ready to listen or to be injected. Closing it does not close the ports. */
export function buildRegistryApp(ports: RegistryPorts, settings: RegistryAppSettings): FastifyInstance {
  const app: FastifyInstance = Fastify({
    ...(settings.logger === undefined ? { logger: false } : { loggerInstance: settings.logger }),
    serverFactory: (handler) => createHttpServer(handler),
    clientErrorHandler: answerClientError,
    frameworkErrors: answerRegistryError,
    genReqId: (request) => requestId(request, settings.auth !== 'none', settings.maxRequestIdLength),
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 8_192 },
  })
  app.server.requestTimeout = settings.requestTimeoutMs
  app.setErrorHandler(answerError)
  closeConnectionsInTurn(app)
  answerEarly(app, DRAIN)
  limitRequests(app, settings.maxHeaderLine)
  app.get('/healthcheck', { exposeHeadRoute: true }, async (_request, reply) => {
    await ports.images.list(ANY)
    return reply.type('text/plain; charset=UTF-8').send('OK')
  })
  app.register(registryV1, { ports, settings })
  const { auth } = settings
  if (typeof auth === 'object') app.addHook('onClose', async () => auth.close?.())
  return app
}

/** As good as any question to the database. */
const ANY = {
  scope: { kind: 'all' },
  filters: {},
  includeDeleted: false,
  sortKey: 'id',
  sortDirection: 'asc',
  limit: 1,
} as const
