import type { FastifyReply, FastifyRequest } from 'fastify'
import { isMullionError } from 'mullion'
import { type Actor, create, type Image, type ImageDraft, reserve } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { actorOf } from '../plugins/actor.ts'
import { requestOrigin } from '../plugins/versions.ts'
import { guardProperties } from '../protections/apply.ts'
import { checkPropertyQuota, enforce, enforceContent, refuseReadOnly } from './access.ts'
import { tellStores } from './acls.ts'
import { sendImage } from './answer.ts'
import type { V1 } from './context.ts'
import { type Metadata, readMetadata } from './metadata.ts'
import { chooseScenario, runScenario, type Scenario } from './scenarios.ts'
import { externalSource, sizeOfSource } from './source.ts'
import { chosenStore } from './upload.ts'
import { isUuidLike } from './values.ts'

/** POST /images. The order of the checks is part of the API. */
export async function createImage(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const meta = readMetadata(request.raw, v1.settings)
  const actor = actorOf(request)
  refuseReadOnly(actor)
  requireOwner(v1, actor)
  await enforce(v1, 'add_image', actor)
  await enforceContent(v1, actor, meta)
  const properties = guardProperties(v1.ports.protections, actor)
  await properties.checkCreate(meta.properties.keys())
  checkPropertyQuota(v1, meta.properties)
  checkId(meta)

  const external = await externalSource(v1, actor, meta, 'Invalid location')
  const store = chosenStore(v1, meta, (name) => `Required store ${name} is invalid`)
  const ambiguous = meta.location !== undefined && (meta.copyFrom ?? '') !== ''
  const scenario = chooseScenario({ external, ambiguous, body: meta.body })
  const size = external ? await sizeOfSource(v1, external, meta.size) : meta.size

  const queued = await insert(v1, { ...draftOf(meta, actor), size }, scenario)
  const image = await runScenario({ v1, request, reply, store }, queued, scenario)
  if (image.visibility === 'public') await tellStores(v1, image) // a new image has no members yet
  reply.header('location', `${requestOrigin(request)}/v1/images/${image.id}`)
  return sendImage(reply, 201, await properties.readable(image))
}

/**
 * What nobody owns counts for no quota and is changed by administrators only, so others may not make it: 403, as
 * glance/api/authorization.py (ImageFactoryProxy.new_image). The 401 that Images v1 has for changes of members
 * (glance/api/v1/members.py) would make clients fetch another token and send the data once more.
 */
function requireOwner({ settings: { ownerIsTenant } }: V1, { admin, owner }: Actor): void {
  if (admin || (owner !== undefined && owner !== '')) return
  throw new ApiError(403, `No authenticated owner: the identity names no ${ownerIsTenant ? 'project' : 'user'}.`)
}

function checkId({ id }: Metadata): void {
  if (id === undefined || (id !== null && isUuidLike(id))) return
  throw new ApiError(400, `Failed to reserve image. Got error: Invalid image id format: ${id ?? ''}`)
}

/** Without data of its own a size of 0 makes an empty image, active at once; with data it says nothing. */
async function insert({ ports }: V1, draft: ImageDraft, { kind }: Scenario): Promise<Image> {
  try {
    return await (kind === 'reserve' ? reserve(ports, draft) : create(ports, draft))
  } catch (error) {
    if (isMullionError(error, 'already_exists')) {
      throw new ApiError(409, `An image with identifier ${draft.id} already exists`, { cause: error })
    }
    if (isMullionError(error, 'invalid_argument')) {
      throw new ApiError(400, `Failed to reserve image. Got error: ${error.message}`, { cause: error })
    }
    throw error
  }
}

function draftOf(meta: Metadata, actor: Actor): ImageDraft {
  return {
    ...(typeof meta.id === 'string' && { id: meta.id }),
    name: meta.name ?? undefined,
    owner: actor.admin && meta.owner !== undefined ? (meta.owner ?? undefined) : actor.owner,
    visibility: meta.isPublic ? 'public' : 'private',
    virtualSize: meta.virtualSize ?? undefined,
    checksum: meta.checksum ?? undefined,
    diskFormat: meta.diskFormat,
    containerFormat: meta.containerFormat,
    minDisk: meta.minDisk ?? 0,
    minRam: meta.minRam ?? 0,
    protected: meta.protected ?? false,
    properties: meta.properties,
  }
}
