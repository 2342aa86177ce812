import fastifyCors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'

export interface CorsSettings {
  /** Such as `https://horizon.example`, or `*`. */
  readonly allowedOrigins: readonly string[]
  readonly allowCredentials: boolean
  readonly maxAgeSeconds: number
  readonly allowMethods: readonly string[]
  readonly allowHeaders: readonly string[]
  readonly exposeHeaders: readonly string[]
}

/** What oslo.middleware's cors lets pass always. */
const SIMPLE_HEADERS = [
  'Accept',
  'Accept-Language',
  'Content-Type',
  'Cache-Control',
  'Content-Language',
  'Expires',
  'Last-Modified',
  'Pragma',
]

/** Lets pages of these origins use the API. A preflight is answered here: it carries no token. */
export async function shareWithOrigins(app: FastifyInstance, settings: CorsSettings): Promise<void> {
  const { allowedOrigins } = settings
  const everyone = allowedOrigins.includes('*')
  await app.register(fastifyCors, {
    // false leaves a request as it is: those of no page, and those of other pages, which their browser then refuses
    origin: (origin, tell) => {
      if (origin === undefined) tell(null, false)
      else tell(null, everyone ? '*' : allowedOrigins.includes(origin) && origin)
    },
    credentials: settings.allowCredentials,
    maxAge: settings.maxAgeSeconds,
    methods: [...settings.allowMethods],
    allowedHeaders: [...SIMPLE_HEADERS, ...settings.allowHeaders],
    exposedHeaders: [...settings.exposeHeaders],
    optionsSuccessStatus: 200,
  })
}
