import { type ErrorCode, type ErrorDetails, MullionError } from 'mullion'
import { brokenAnswer, failure } from './errors.ts'
import type { Outcome } from './exchange.ts'

export interface Reply {
  readonly status: number
  /** Parsed; undefined when there is none. */
  readonly body: unknown
  /** An earlier attempt may have been carried out: then `already_exists` and `conflict` may mean this very request. */
  readonly uncertain: boolean
}

type Answer = Extract<Outcome, { status: number }>

/** Statuses that say nothing of the request: a registry or a proxy that cannot do its work for now. */
export function outage({ status, retryAfter }: Answer): MullionError | undefined {
  const seconds = Number(retryAfter ?? Number.NaN)
  const asked = Number.isFinite(seconds) && seconds >= 0 ? { afterMs: seconds * 1000 } : {}
  if (status === 429) return failure('rate_limited', 'it asks for fewer requests', asked)
  if (status === 502 || status === 503 || status === 504) return failure('unavailable', `it answered ${status}`, asked)
  return undefined
}

export function replyOf({ status, text }: Answer, uncertain: boolean): Reply {
  if (text === '' || status === 204) return { status, body: undefined, uncertain }
  try {
    return { status, body: JSON.parse(text), uncertain }
  } catch {
    return { status, body: undefined, uncertain }
  }
}

/** What a refusal is about, in our words. */
export interface Subject {
  /** Such as `image 5d1c4bc0`. */
  readonly what: string
  readonly id: string
  readonly expected?: string | undefined
}

/** The body of a success. Throws for everything else. */
export function accepted(reply: Reply, subject: Subject): unknown {
  if (reply.status === 200 || reply.status === 204) return reply.body
  throw refusal(reply, subject)
}

/** The code a registry gives for its refusal: a status alone may come from anything that happens to be at the URL. */
export function codeOf({ body }: Reply): string | undefined {
  const { code } = errorOf(body)
  return typeof code === 'string' ? code : undefined
}

function refusal(reply: Reply, { what, id, expected = 'what it was' }: Subject): MullionError {
  const { status, body } = reply
  if (status === 401) return failure('unauthenticated', 'it does not accept the credentials', {})
  const code = codeOf(reply)
  if (code === 'not_found') return about(id, 'not_found', `${what}: no such record`, { location: id })
  if (code === 'already_exists') return about(id, 'already_exists', `${what}: the id is taken`, { key: id })
  if (code === 'conflict') return about(id, 'conflict', `${what}: is not ${expected} any more`, { expected })
  if (status === 403) return failure('permission_denied', `${what}: it refuses the service that asks`, {})
  if (code === 'invalid_argument') {
    const { name } = errorOf(body)
    return failure('invalid_argument', `${what}: ${messageOf(body)}`, { name: typeof name === 'string' ? name : what })
  }
  return status === 404 || status < 400
    ? brokenAnswer(`it answered ${status} without saying why: is the URL that of a mullion registry?`)
    : brokenAnswer(`${what}: it answered ${status}`)
}

function about<C extends ErrorCode>(imageId: string, code: C, what: string, details: ErrorDetails[C]): MullionError<C> {
  return new MullionError(code, what, { details, context: { imageId } })
}

function errorOf(body: unknown): { readonly code?: unknown; readonly name?: unknown; readonly message?: unknown } {
  const error = (body as { error?: unknown } | null | undefined)?.error
  return typeof error === 'object' && error !== null ? error : {}
}

/** Its words on what was sent, which it writes for those who send. */
function messageOf(body: unknown): string {
  const { message } = errorOf(body)
  return typeof message === 'string' ? message.slice(0, 300) : 'it was refused'
}
