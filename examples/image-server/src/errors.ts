import { STATUS_CODES } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, isMullionError } from 'mullion'
import Negotiator from 'negotiator'
import { BodyIdle, ClientDisconnected } from './plugins/body.ts'

/** The status of each kind of error where an action has no answer of its own. */
export const STATUS: { readonly [C in ErrorCode]: number } = {
  not_found: 404,
  already_exists: 409,
  in_use: 409,
  unknown_scheme: 400,
  invalid_location: 400,
  invalid_argument: 400,
  invalid_config: 500,
  unsupported: 400,
  size_mismatch: 400,
  hash_mismatch: 400,
  too_large: 413,
  quota_exceeded: 413,
  storage_full: 413,
  permission_denied: 403,
  unauthenticated: 503,
  unavailable: 503,
  timeout: 503,
  rate_limited: 503,
  invalid_transition: 409,
  conflict: 409,
  closed: 503,
  internal: 500,
}

export interface ApiErrorInit {
  readonly headers?: Readonly<Record<string, string>>
  /** The body is the message alone, without the frame that other errors have. */
  readonly bare?: boolean
  readonly cause?: unknown
}

/** An answer other than success. The message goes to the client: no path, no location, no secret. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly bare: boolean

  constructor(status: number, message = '', init: ApiErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.status = status
    this.headers = init.headers ?? {}
    this.bare = init.bare ?? false
  }
}

export interface ErrorBody {
  readonly type: string
  readonly text: string
}

/** The body of an error in the format that suits `accept` best; plain text when none does. */
export function errorBody(status: number, detail: string, accept: string | undefined, method: string): ErrorBody {
  const title = STATUS_CODES[status] ?? 'Unknown'
  const explanation = (EXPLANATIONS[status] ?? '').replace('%s', method)
  const offered = ['text/plain', 'text/html', 'application/json']
  const type = accept === undefined ? 'text/plain' : new Negotiator({ headers: { accept } }).mediaType(offered)
  if (type === 'application/json') {
    const message = `${explanation}<br /><br />\n${detail}\n\n`
    return {
      type: 'application/json; charset=utf-8',
      text: JSON.stringify({ message, code: `${status} ${title}`, title }),
    }
  }
  if (type === 'text/html') {
    const head = `<html>\n <head>\n  <title>${status} ${title}</title>\n </head>\n`
    const text = `${head} <body>\n  <h1>${status} ${title}</h1>\n  ${escapeHtml(explanation)}<br /><br />\n${escapeHtml(detail)}\n\n </body>\n</html>`
    return { type: 'text/html; charset=UTF-8', text }
  }
  return { type: 'text/plain; charset=UTF-8', text: `${status} ${title}\n\n${explanation}\n\n ${detail}  ` }
}

/** Answers any error. What no action foresaw is logged and becomes a 500 that tells nothing. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  if (error instanceof ClientDisconnected) {
    request.log.info({ err: error }, 'client left')
    reply.hijack()
    reply.raw.destroy()
    return
  }
  const failure = asApiError(error)
  if (failure.status >= 500 && failure.status !== 501) request.log.error({ err: error }, 'request failed')
  reply.code(failure.status).headers(failure.headers)
  if (request.method === 'HEAD') {
    reply.send()
    return
  }
  const { type, text } = failure.bare
    ? { type: 'text/plain; charset=UTF-8', text: failure.message }
    : errorBody(failure.status, failure.message, request.headers.accept, request.method)
  reply.type(type).send(Buffer.from(text)) // a string would make Node write the headers as UTF-8 too
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof BodyIdle) return new ApiError(408, error.message)
  if (isMullionError(error)) return new ApiError(STATUS[error.code])
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500
  return new ApiError(status >= 400 && status < 500 ? status : 500)
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** As WebOb words them (webob/exc.py): clients show them. */
const EXPLANATIONS: Readonly<Record<number, string>> = {
  400: 'The server could not comply with the request since it is either malformed or otherwise incorrect.',
  401: 'This server could not verify that you are authorized to access the document you requested.',
  403: 'Access was denied to this resource.',
  404: 'The resource could not be found.',
  405: 'The method %s is not allowed for this resource.',
  408: 'The server has waited too long for the request to be sent by the client.',
  409: 'There was a conflict when trying to complete your request.',
  410: 'This resource is no longer available.  No forwarding address is given.',
  412: 'Request precondition failed.',
  413: 'The body of your request was too large for this server.',
  414: 'The request URI was too long for this server.',
  431: 'The server is unwilling to process the request because its header fields are too large.',
  500: 'The server has either erred or is incapable of performing the requested operation.',
  501: 'The request method %s is not implemented for this server.',
  503: 'The server is currently unavailable. Please try again at a later time.',
}
