import type { FastifyInstance, FastifyRequest } from 'fastify'
import { awaitsContinue } from '../plugins/body.ts'
import { isDeeper, MAX_DEPTH } from '../v1/json.ts'
import { invalid } from './errors.ts'

/** The members of a JSON object. A Map because the names come from strangers. */
export type Table = ReadonlyMap<string, unknown>

/** The largest record: many properties, each of a text as long as a column takes. */
const MAX_BODY_BYTES = 16 * 1024 * 1024

/** Reads every body as JSON, whatever its type says; that of a DELETE is none. */
export function parseJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addHook('preParsing', async (request, reply) => {
    if (awaitsContinue(request.raw)) reply.raw.writeContinue()
  })
  app.addContentTypeParser(
    '*',
    { parseAs: 'string', bodyLimit: MAX_BODY_BYTES },
    async (request: FastifyRequest, body: string) =>
      request.method === 'DELETE' || body === '' ? undefined : parsed(body),
  )
}

function parsed(text: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw invalid('body', 'Malformed JSON in request body.')
  }
  if (isDeeper(value, MAX_DEPTH)) throw invalid('body', `The body is nested deeper than ${MAX_DEPTH} levels.`)
  if (typeof value === 'object' && value !== null) return value
  throw invalid('body', 'Unexpected body type. Expected list/dict.')
}

/** The body as a table; undefined when there is none. */
export function bodyOf(request: FastifyRequest): Table | undefined {
  return request.body === undefined ? undefined : tableOf(request.body)
}

/** The value as a table; undefined when it is no JSON object. */
export function tableOf(value: unknown): Table | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? new Map(Object.entries(value))
    : undefined
}
