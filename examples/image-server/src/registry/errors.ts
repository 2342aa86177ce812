import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, isMullionError } from 'mullion'
import { ApiError, answerError, type ApiErrorInit, errorBody, STATUS } from '../errors.ts'

/** A refusal that a program can tell from others of the same status. */
export class Refusal extends ApiError {
  readonly code: ErrorCode
  /** What was wrong of what was sent. */
  readonly argument: string | undefined

  constructor(code: ErrorCode, message: string, init: ApiErrorInit & { readonly argument?: string } = {}) {
    super(STATUS[code], message, init)
    this.code = code
    this.argument = init.argument
  }
}

export function invalid(argument: string, message: string): Refusal {
  return new Refusal('invalid_argument', message, { argument })
}

/** Answers any error; who accepts JSON gets its code in it, beside what Glance's registry says. */
export function answerRegistryError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const known = codeOf(error)
  const { accept } = request.headers
  if (known === undefined || request.method === 'HEAD' || !accept?.includes('application/json')) {
    answerError(error, request, reply)
    return
  }
  const status = error instanceof ApiError ? error.status : STATUS[known.code]
  if (status >= 500) request.log.error({ err: error }, 'request failed')
  const message = error instanceof ApiError ? error.message : ''
  const body = errorBody(status, message, 'application/json', request.method)
  const document = { ...(JSON.parse(body.text) as object), error: { ...known, message } }
  reply
    .code(status)
    .headers(error instanceof ApiError ? error.headers : {})
    .type(body.type)
    .send(Buffer.from(JSON.stringify(document)))
}

interface Known {
  readonly code: ErrorCode
  readonly name?: string
}

/** A 404 without a code is one of a path that does not exist: clients must not take it for that of an image. */
function codeOf(error: unknown): Known | undefined {
  if (error instanceof Refusal)
    return { code: error.code, ...(error.argument !== undefined && { name: error.argument }) }
  if (isMullionError(error, 'invalid_argument')) return { code: error.code, name: error.details.name }
  if (isMullionError(error)) return { code: error.code }
  return error instanceof ApiError && error.status === 403 ? { code: 'permission_denied' } : undefined
}
