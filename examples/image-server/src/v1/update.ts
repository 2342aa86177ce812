import type { FastifyReply, FastifyRequest } from 'fastify'
import { isMullionError } from 'mullion'
import {
  type Actor,
  canChange,
  type Image,
  type ImagePatch,
  type ImageStatus,
  publicImage,
  TRANSITIONS,
} from 'mullion/images'
import { ApiError } from '../errors.ts'
import { actorOf } from '../plugins/actor.ts'
import { guardProperties, type Properties } from '../protections/apply.ts'
import { checkPropertyQuota, enforce, enforceContent, loadVisible, noSuchImage, refuseReadOnly } from './access.ts'
import { tellStores } from './acls.ts'
import { sendImage } from './answer.ts'
import type { V1 } from './context.ts'
import { type Metadata, readMetadata } from './metadata.ts'
import { chooseScenario, operationConflicts, runScenario } from './scenarios.ts'
import { type ExternalSource, externalSource, sizeOfSource } from './source.ts'
import { chosenStore } from './upload.ts'

/** Every status but deleted. */
const LIVE = Object.keys(TRANSITIONS.delete) as ImageStatus[]

/** PUT /images/{id}. The order of the checks is part of the API. */
export async function updateImage(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { id } = request.params as { readonly id: string }
  const meta = readMetadata(request.raw, v1.settings)
  const actor = actorOf(request)
  refuseReadOnly(actor)
  await enforce(v1, 'modify_image', actor)
  await enforceContent(v1, actor, meta)

  const image = await loadVisible(v1, actor, id)
  checkReadOnlyFields(actor, image, meta)
  if (meta.body && image.status !== 'queued') throw new ApiError(409, 'Cannot upload to an unqueued image')
  const external = await externalSource(v1, actor, meta, 'Invalid location:')
  if (external && image.status !== 'queued') {
    throw new ApiError(400, 'Attempted to update Location field for an image not in queued status.')
  }
  const purge = meta.purge && !meta.body
  const guarded = guardProperties(v1.ports.protections, actor)
  const set = await guarded.checkChange(image, meta.properties, purge)
  checkPropertyQuota(v1, purge ? set : new Map([...image.properties, ...set]))
  checkOwner(actor, image)
  const ambiguous = meta.location !== undefined && (meta.copyFrom ?? '') !== ''
  const scenario = chooseScenario({ external, ambiguous, body: meta.body })
  const store =
    meta.body || external ? chosenStore(v1, meta, (name) => `Store for scheme ${name} not found`) : undefined

  const patch = {
    ...patchOf(meta, image, actor),
    ...propertiesOf(set, purge),
    ...(await sizePatch(v1, meta, external)),
  }
  const updated = await apply(v1, id, patch, scenario.kind === 'reserve' ? allowed(actor, image, meta) : ['queued'])
  const answered = await runScenario({ v1, request, reply, store }, updated, scenario)
  if (meta.isPublic !== undefined || scenario.kind !== 'reserve') await tellStores(v1, answered)
  v1.ports.notifier.notify('update', publicImage(answered))
  return sendImage(reply, 200, await guarded.readable(answered))
}

function checkReadOnlyFields(actor: Actor, image: Image, { size, checksum, status, id }: Metadata): void {
  if (image.status === 'deleted') throw new ApiError(403, 'Forbidden to update deleted image.')
  if (!actor.admin && (image.status === 'active' || image.status === 'deactivated')) {
    if (size !== undefined && size !== (image.size ?? 0)) throw refusedField('size', `${image.status} image`)
    if (checksum !== undefined && (checksum ?? undefined) !== image.checksum)
      throw refusedField('checksum', `${image.status} image`)
  }
  if (status !== undefined && status !== image.status) throw refusedField('status', 'image')
  if (id !== undefined && id !== image.id) throw refusedField('id', 'image')
}

/** Whether an owner may say what the data is was judged by the status that was loaded: the image has to have it still. */
function allowed(actor: Actor, image: Image, { size, checksum }: Metadata): readonly ImageStatus[] {
  if (actor.admin || (size === undefined && checksum === undefined)) return LIVE
  return LIVE.filter((status) => status === image.status)
}

function refusedField(field: string, what: string): ApiError {
  return new ApiError(403, `Forbidden to modify '${field}' of ${what}.`)
}

/** Who may see an image but not change it learns no more than that it is public. */
function checkOwner(actor: Actor, image: Image): void {
  if (canChange(actor, image)) return
  if (image.visibility === 'public') throw new ApiError(403, `Forbidden to update image: ${image.id}`)
  throw new ApiError(404, `Failed to find image to update: ${image.id}`)
}

async function sizePatch(v1: V1, { size }: Metadata, external: ExternalSource | undefined): Promise<ImagePatch> {
  if (external) return { size: await sizeOfSource(v1, external, size) }
  return size === undefined ? {} : { size }
}

async function apply({ ports }: V1, id: string, patch: ImagePatch, expect: readonly ImageStatus[]): Promise<Image> {
  try {
    return await ports.images.update(id, patch, { status: expect })
  } catch (error) {
    if (isMullionError(error, 'not_found')) throw noSuchImage(id)
    if (isMullionError(error, 'conflict')) throw operationConflicts(error)
    if (isMullionError(error, 'invalid_argument')) {
      throw new ApiError(400, `Failed to update image metadata. Got error: ${error.message}`, { cause: error })
    }
    throw error
  }
}

/** What the request changes: a header that was not sent changes nothing, an empty one clears its field. */
function patchOf(meta: Metadata, image: Image, actor: Actor): ImagePatch {
  return {
    ...(meta.name !== undefined && { name: meta.name ?? undefined }),
    ...(meta.checksum !== undefined && { checksum: meta.checksum ?? undefined }),
    ...(meta.owner !== undefined && actor.admin && { owner: meta.owner ?? undefined }),
    ...(meta.diskFormat !== undefined && { diskFormat: meta.diskFormat }),
    ...(meta.containerFormat !== undefined && { containerFormat: meta.containerFormat }),
    ...(meta.virtualSize !== undefined && { virtualSize: meta.virtualSize ?? undefined }),
    ...(meta.minDisk !== undefined && { minDisk: meta.minDisk }),
    ...(meta.minRam !== undefined && { minRam: meta.minRam }),
    ...(meta.protected !== undefined && { protected: meta.protected }),
    ...(meta.isPublic && { visibility: 'public' as const }),
    ...(meta.isPublic === false && image.visibility === 'public' && { visibility: 'private' as const }),
  }
}

function propertiesOf(set: Properties, purge: boolean): ImagePatch {
  return purge || set.size > 0 ? { properties: { set, purge } } : {}
}
