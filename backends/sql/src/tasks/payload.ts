import { MullionError } from 'mullion'
import type { Seal, Task } from 'mullion/images'

export interface TaskRow {
  readonly id: string
  readonly kind: string
  readonly image_id: string
  readonly payload: string | null
}

/** What a task carries beside its columns, sealed. */
export function closePayload(seal: Seal, task: Task): string {
  const { kind: _kind, id: _id, imageId, ...payload } = task
  return seal.close(JSON.stringify(payload), { imageId, purpose: 'task' })
}

export function toTask(seal: Seal, { id, kind, image_id: imageId, payload }: TaskRow): Task {
  if (kind !== 'copy' && kind !== 'upload') {
    throw new MullionError('internal', `task ${id}: unknown kind "${kind}"`, { details: {}, context: { imageId } })
  }
  const carried = JSON.parse(seal.open(payload ?? '', { imageId, purpose: 'task' })) as Partial<Task>
  return { ...(kind === 'copy' && { store: undefined }), ...carried, kind, id, imageId } as Task
}
