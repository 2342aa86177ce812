import type { FastifyInstance } from 'fastify'

/**
 * Leaves every body of `app` where it is, for actions that read the raw request or nothing. What `Content-Type` says
 * is theirs to judge, from the raw headers: Fastify, which would answer 415 to what it cannot parse, sees one type only.
 */
export function passBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _body, done) => done(null))
  app.addHook('onRequest', async ({ raw }) => {
    raw.headers['content-type'] = 'application/octet-stream'
  })
}
