import { access } from 'node:fs/promises'
import type { FastifyInstance, FastifyReply } from 'fastify'

export const HEALTHCHECK = '/healthcheck'

/**
 * Tells load balancers whether to send requests here (oslo.middleware healthcheck). An operator takes the server out of
 * service by making the file.
 */
export function checkHealth(app: FastifyInstance, disableFile: string | undefined): void {
  const answer = async (reply: FastifyReply, status: number): Promise<FastifyReply> => {
    reply.type('text/plain; charset=UTF-8')
    if (disableFile !== undefined && (await exists(disableFile))) return reply.code(503).send('DISABLED BY FILE')
    return reply.code(status).send(status === 204 ? undefined : 'OK')
  }
  const route = { url: HEALTHCHECK, exposeHeadRoute: false, logLevel: 'warn' } as const
  app.route({ ...route, method: 'GET', handler: (_request, reply) => answer(reply, 200) })
  app.route({ ...route, method: 'HEAD', handler: (_request, reply) => answer(reply, 204) })
}

/** A file that cannot be looked at is there: whoever named it wants the server to be out rather than in by mistake. */
async function exists(file: string): Promise<boolean> {
  try {
    await access(file)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
}
