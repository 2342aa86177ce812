import type { FastifyReply, FastifyRequest } from 'fastify'
import { collect } from 'mullion'
import { ApiError } from '../errors.ts'
import { requestBody } from '../plugins/body.ts'
import type { V1Settings } from './context.ts'

const MAX_BYTES = 1024 * 1024
export const MAX_DEPTH = 32

/**
 * The JSON in the body of a request, undefined when it has none. Throws 413, and 400 for anything but an object or
 * array, and for one so deep that recursion over it would overflow the stack.
 */
export async function readJson(
  { raw }: FastifyRequest,
  reply: FastifyReply,
  { idleTimeoutMs }: Pick<V1Settings, 'idleTimeoutMs'>,
): Promise<unknown> {
  const length = Number(raw.headers['content-length'] ?? 0)
  if (length === 0 && raw.headers['transfer-encoding'] === undefined) return undefined
  if (length > MAX_BYTES) throw tooLarge()
  const octets = await collect(bounded(requestBody(raw, reply.raw, idleTimeoutMs)))
  if (octets.length === 0) return undefined
  const value = parsed(octets)
  if (isDeeper(value, MAX_DEPTH)) {
    throw new ApiError(400, `The body of the request is nested deeper than ${MAX_DEPTH} levels.`)
  }
  if (typeof value === 'object' && value !== null) return value
  throw new ApiError(400, 'Unexpected body type. Expected list/dict.')
}

async function* bounded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.byteLength
    if (bytes > MAX_BYTES) throw tooLarge()
    yield chunk
  }
}

function parsed(octets: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(octets))
  } catch (cause) {
    throw new ApiError(400, 'Malformed JSON in request body.', { cause })
  }
}

/** Whether arrays and objects lie more than so many levels in each other. Looks no deeper than that. */
export function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1))
}

function tooLarge(): ApiError {
  return new ApiError(413, `The body of the request is larger than ${MAX_BYTES} bytes.`)
}
