import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { ApiError } from '../errors.ts'

const HEADER = 'x-openstack-request-id'

/** The id of a request in the log and in its answer: the client's own where clients are known, else a random one. */
export function requestId(request: IncomingMessage, trustClient: boolean, maxLength: number): string {
  const given = trustClient ? request.headers[HEADER] : undefined
  if (typeof given !== 'string' || given === '' || isTooLong(given, maxLength)) return `req-${randomUUID()}`
  return given.startsWith('req-') ? given : `req-${given}`
}

/** Throws 431 when the client's id is longer than `maxLength` characters; 0 means no limit. */
export function checkRequestId(request: IncomingMessage, maxLength: number): void {
  const given = request.headers[HEADER]
  if (typeof given === 'string' && isTooLong(given, maxLength)) {
    throw new ApiError(431, `Request ID is longer than ${maxLength} characters`)
  }
}

function isTooLong(id: string, maxLength: number): boolean {
  return maxLength > 0 && id.length > maxLength
}
