import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { awaitsContinue, drain, hasUnreadBody } from './body.ts'

export interface EarlyAnswerOptions {
  /** How much of a refused body is read and forgotten at most, so that its sender gets to read the answer. */
  readonly drainBytes: number
  readonly drainMs: number
}

/**
 * Lets a client read an answer that comes before its body is complete. Closing at once makes the kernel reset the
 * connection, and the sender sees a broken pipe instead of the status; reading everything costs the whole body. So:
 * answer, read on within bounds, close (RFC 9112 §9.6).
 */
export function answerEarly(app: FastifyInstance, options: EarlyAnswerOptions): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (payload instanceof Readable || !hasUnreadBody(request.raw)) return payload
    await setImmediate() // Node hands over the head of a request before it parses the rest of the packet
    if (!hasUnreadBody(request.raw)) return payload
    reply.header('connection', 'close')
    if (awaitsContinue(request.raw)) return payload // nothing of the body is under way
    const answer = asBuffer(payload)
    reply.header('content-length', answer.length)
    return Readable.from(answerThenDrain(request, reply, answer, options))
  })
}

async function* answerThenDrain(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: Buffer,
  { drainBytes, drainMs }: EarlyAnswerOptions,
): AsyncGenerator<Buffer, void> {
  reply.raw.flushHeaders()
  if (answer.length > 0) yield answer
  await drain(request.raw, drainBytes, drainMs)
}

function asBuffer(payload: unknown): Buffer {
  if (Buffer.isBuffer(payload)) return payload
  return typeof payload === 'string' ? Buffer.from(payload) : Buffer.alloc(0)
}
