import type { FastifyReply, FastifyRequest } from 'fastify'
import { isMullionError } from 'mullion'
import { copyLater, type Image, register } from 'mullion/images'
import { ApiError } from '../errors.ts'
import type { V1 } from './context.ts'
import { type BodyFacts, checkedFormats } from './metadata.ts'
import { type ExternalSource, sourceFailure } from './source.ts'
import { uploadBody } from './upload.ts'

/** The ways in which an image gets its data. */
export type Scenario =
  | { readonly kind: 'upload'; readonly body: BodyFacts }
  | { readonly kind: 'copyFrom'; readonly uri: string }
  | { readonly kind: 'register'; readonly uri: string }
  | { readonly kind: 'reserve' }

export interface Sources {
  readonly external: ExternalSource | undefined
  /** Whether the request names a location and a copy source. */
  readonly ambiguous: boolean
  readonly body: BodyFacts | undefined
}

/** Exactly one of four. Throws 400 when the request carries more than one source. */
export function chooseScenario({ external, ambiguous, body }: Sources): Scenario {
  if (ambiguous || (external && body)) throw new ApiError(400, "It's invalid to provide multiple image sources.")
  if (external) return { kind: external.kind, uri: external.uri }
  return body ? { kind: 'upload', body } : { kind: 'reserve' }
}

/** What a scenario works with besides itself. */
export interface Exchange {
  readonly v1: V1
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  /** Name of the store for the data, undefined for the default. */
  readonly store: string | undefined
}

/** Brings data to a queued image. Resolves with the image to answer with. */
export function runScenario(exchange: Exchange, image: Image, scenario: Scenario): Promise<Image> {
  switch (scenario.kind) {
    case 'upload':
      return receive(exchange, image, scenario)
    case 'copyFrom':
      return copy(exchange, image, scenario)
    case 'register':
      return point(exchange, image, scenario)
    case 'reserve':
      return Promise.resolve(image)
  }
}

type Of<K extends Scenario['kind']> = Extract<Scenario, { kind: K }>

/** queued → saving → active or killed, answered when it is over. */
async function receive({ v1, request, reply, store }: Exchange, image: Image, { body }: Of<'upload'>): Promise<Image> {
  requireFormats(v1, image)
  return uploadBody(v1, image, request, reply, { body, store })
}

/** Stays queued for the answer; a task does the rest. Formats may stay unknown. */
function copy({ v1, store }: Exchange, image: Image, { uri }: Of<'copyFrom'>): Promise<Image> {
  return copyLater(v1.ports, image.id, uri, { ...(store !== undefined && { store }) })
}

/** queued → active; the data stays where it is. */
async function point({ v1 }: Exchange, image: Image, { uri }: Of<'register'>): Promise<Image> {
  requireFormats(v1, image)
  try {
    return await register(v1.ports, image.id, uri)
  } catch (error) {
    if (isMullionError(error, 'size_mismatch')) {
      const { expected, actual } = error.details
      const text = `Provided image size must match the stored image size. (provided size: ${expected}, stored size: ${actual})`
      throw new ApiError(409, text, { cause: error })
    }
    if (isMullionError(error, 'conflict') || isMullionError(error, 'invalid_transition'))
      throw operationConflicts(error)
    throw sourceFailure(uri, error)
  }
}

export function operationConflicts(cause: unknown): ApiError {
  return new ApiError(409, 'Image operation conflicts', { bare: true, cause })
}

function requireFormats({ settings }: V1, { diskFormat, containerFormat }: Image): void {
  if (diskFormat === undefined) throw new ApiError(400, 'Disk format is not specified.')
  if (containerFormat === undefined) throw new ApiError(400, 'Container format is not specified.')
  checkedFormats(diskFormat, containerFormat, settings)
}
