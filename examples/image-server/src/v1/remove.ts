import type { FastifyReply, FastifyRequest } from 'fastify'
import { isMullionError } from 'mullion'
import { type Actor, canChange, type Image, remove } from 'mullion/images'
import { ApiError } from '../errors.ts'
import { actorOf } from '../plugins/actor.ts'
import { enforce, loadVisible, refuseReadOnly } from './access.ts'
import type { V1 } from './context.ts'
import { operationConflicts } from './scenarios.ts'

/** DELETE /images/{id}: 200 with an empty body. Who may not delete is refused before any data is touched. */
export async function removeImage(v1: V1, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const { id } = request.params as { readonly id: string }
  const actor = actorOf(request)
  refuseReadOnly(actor)
  await enforce(v1, 'delete_image', actor)
  checkDeletable(actor, await loadVisible(v1, actor, id))
  try {
    await remove(v1.ports, id, { delayed: v1.settings.delayedDelete })
  } catch (error) {
    throw removalFailure(id, error)
  }
  await v1.ports.cache?.purge(id)
  return reply.code(200).send()
}

function checkDeletable(actor: Actor, image: Image): void {
  if (image.protected) throw new ApiError(403, 'Image is protected')
  if (image.status === 'pending_delete') throw new ApiError(403, 'Forbidden to delete a pending_delete image.')
  if (image.status === 'deleted') throw new ApiError(404, `Image ${image.id} not found.`)
  if (canChange(actor, image)) return
  if (image.visibility === 'public') throw new ApiError(403, `Forbidden to delete image: ${image.id}`)
  throw new ApiError(404, `Failed to find image to delete: ${image.id}`)
}

function removalFailure(id: string, error: unknown): unknown {
  if (!isMullionError(error)) return error
  const init = { cause: error }
  switch (error.code) {
    case 'in_use':
      return new ApiError(409, `Image ${id} could not be deleted because it is in use: the store refused`, init)
    case 'permission_denied':
      return new ApiError(403, `Forbidden to delete image: ${id}`, init)
    case 'not_found':
    case 'invalid_transition':
      return new ApiError(404, `Image ${id} not found.`, init)
    case 'conflict':
      return operationConflicts(error)
    default:
      return new ApiError(500, '', init)
  }
}
