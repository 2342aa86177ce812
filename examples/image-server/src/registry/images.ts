import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isMullionError } from 'mullion'
import { type Expectation, type Image, type ImagePatch, type ImageStatus, newImage } from 'mullion/images'
import { isUuidLike } from '../v1/values.ts'
import { loadMutable, loadVisible, noSuchImage } from './access.ts'
import { bodyOf, type Table, tableOf } from './body.ts'
import { type Caller, callerOf, refuseReadOnly, type Registry } from './context.ts'
import { imageDocument } from './document.ts'
import { invalid, Refusal } from './errors.ts'
import { readFields, readIsPublic, readProperties, time } from './fields.ts'
import { readLocations, replaceLocations } from './locations.ts'
import { sendDocument } from './send.ts'

export async function showImage(
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = callerOf(request)
  const image = await loadVisible(registry, caller, idOf(request))
  return sendDocument(reply, { image: imageDocument(image, caller) })
}

export async function createImage(
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = callerOf(request)
  refuseReadOnly(caller)
  const { image: table } = imageOf(request)
  const image = explained('Failed to add image metadata. Got error: ', () => readNewImage(table, caller))
  try {
    return sendDocument(reply, { image: imageDocument(await registry.ports.images.insert(image), caller) })
  } catch (error) {
    if (!isMullionError(error, 'already_exists')) throw error
    throw new Refusal('already_exists', `Image with identifier ${image.id} already exists!`, { cause: error })
  }
}

export async function updateImage(
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = callerOf(request)
  refuseReadOnly(caller)
  const { image: table, body } = imageOf(request)
  const id = idOf(request)
  if (table.has('id') && table.get('id') !== id) throw noSuchImage()
  // a service knows what it changes; the record says whether it is there when it is written
  const current = caller.extended ? undefined : await loadChangeable(registry, caller, id)
  const purge = request.headers['x-glance-registry-purge-props'] === 'true'
  const patch = explained('Failed to update image metadata. Got error: ', () =>
    readPatch(table, { caller, purge, current }),
  )
  try {
    const image = await registry.ports.images.update(id, patch, readExpectation(body, caller))
    return sendDocument(reply, { image: imageDocument(image, caller) })
  } catch (error) {
    if (isMullionError(error, 'not_found')) throw noSuchImage()
    if (!isMullionError(error, 'conflict')) throw error
    throw new Refusal('conflict', 'Image operation conflicts', { bare: true, cause: error })
  }
}

/**
 * What Glance's API asks for after it has set the status. That status already deletes here, so that the second step finds
 * the work done: then, and whenever the owner repeats it, the answer is the deleted image.
 */
export async function removeImage(
  registry: Registry,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const caller = callerOf(request)
  refuseReadOnly(caller)
  const image = await loadMutable(registry, caller, idOf(request))
  const removed = await registry.ports.images.update(image.id, removal(image))
  if (image.status === 'pending_delete') await registry.ports.members.replace(image.id, [])
  return sendDocument(reply, { image: imageDocument(removed, caller) })
}

/** Data that has to be removed keeps its locations, everything else of the image goes. */
function removal({ status, locations }: Image): ImagePatch {
  const waiting = locations.filter((location) => location.status !== 'active')
  if (status === 'deleted') return { locations: waiting }
  const gone = { deletedAt: new Date(), locations: waiting, tags: [], properties: { set: new Map(), purge: true } }
  return status === 'pending_delete' ? gone : { ...gone, status: 'deleted' }
}

function idOf(request: FastifyRequest): string {
  return (request.params as { readonly id: string }).id
}

function imageOf(request: FastifyRequest): { readonly image: Table; readonly body: Table } {
  const body = bodyOf(request)
  const image = tableOf(body?.get('image'))
  if (body && image) return { image, body }
  throw invalid('image', 'The request body has no image')
}

async function loadChangeable(registry: Registry, caller: Caller, id: string): Promise<Image> {
  const image = await loadMutable(registry, caller, id)
  if (image.deletedAt !== undefined && !caller.actor.admin) throw noSuchImage()
  return image
}

/** Says before each reason what failed, as Glance does. */
function explained<T>(prefix: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw invalid(error.argument ?? 'image', prefix + error.message)
  }
}

function readNewImage(table: Table, { actor, extended }: Caller): Image {
  const given = table.get('id') ?? randomUUID()
  if (typeof given !== 'string' || (!extended && !isUuidLike(given))) throw invalid('id', 'Invalid image id format')
  const fields = readFields(table, extended)
  const fresh = newImage({ id: given }, new Date(), randomUUID)
  const status: ImageStatus = 'active'
  const image = {
    ...fresh,
    status,
    visibility: readIsPublic(table) ? ('public' as const) : fresh.visibility,
    ...fields,
    owner: actor.admin && table.has('owner') ? fields.owner : actor.owner,
    properties: readProperties(table) ?? fresh.properties,
    locations: readLocations(table, extended) ?? [],
  }
  if (!extended) return image
  const createdAt = time(table.get('created_at') ?? null, 'created_at') ?? fresh.createdAt
  return { ...image, createdAt, updatedAt: time(table.get('updated_at') ?? null, 'updated_at') ?? createdAt }
}

interface UpdateOptions {
  readonly caller: Caller
  readonly purge: boolean
  /** Undefined with the extensions, which need to know nothing. */
  readonly current: Image | undefined
}

function readPatch(table: Table, { caller: { actor, extended }, purge, current }: UpdateOptions): ImagePatch {
  const { owner, ...fields } = readFields(table, extended)
  const properties = readProperties(table)
  const given = readLocations(table, extended)
  const locations = given && current ? replaceLocations(current.locations, given) : given
  const isPublic = current && readIsPublic(table)
  return {
    ...fields,
    ...(actor.admin && table.has('owner') && { owner }),
    ...(isPublic === true && { visibility: 'public' }),
    ...(isPublic === false && current?.visibility === 'public' && { visibility: 'private' }),
    ...((properties || purge) && { properties: { set: properties ?? new Map(), purge } }),
    ...(locations && { locations }),
  }
}

/** `from_state` is Glance's; `from_states` and `from_writer` are ours. A status nobody has cannot be met. */
function readExpectation(body: Table, { extended }: Caller): Expectation | undefined {
  const state = body.get('from_state')
  const states = extended ? body.get('from_states') : undefined
  if (states === undefined) {
    if (state === undefined || state === null || state === '') return undefined
    return { status: [(typeof state === 'string' ? state : '') as ImageStatus] }
  }
  if (!Array.isArray(states) || !states.every((one) => typeof one === 'string'))
    throw invalid('from_states', 'from_states: expected a list of text')
  const writer = body.get('from_writer')
  return { status: states as ImageStatus[], ...(typeof writer === 'string' && { writer }) }
}
