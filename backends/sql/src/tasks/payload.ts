import { MullionError } from 'mullion'
import type { Seal, Task, UploadTask } from 'mullion/images'

export interface TaskRow {
  readonly id: string
  readonly kind: string
  readonly image_id: string
  readonly payload: string | null
}

/**
 * What a task carries beside its columns. That of a copy is sealed. That of an upload is no secret, and plain: whoever
 * ends it need not have the key of the server that died.
 */
export function closePayload(seal: Seal, task: Task): string {
  const { kind, id: _id, imageId, ...payload } = task
  const text = JSON.stringify(payload)
  return kind === 'upload' ? text : seal.close(text, { imageId, purpose: 'task' })
}

/** Throws for a copy that cannot be read what `Seal.open` does. */
export function toTask(seal: Seal, row: TaskRow): Task {
  const { kind, id, image_id: imageId } = row
  if (kind === 'upload') return { kind, id, imageId, onFailure: endOf(seal, row) }
  if (kind === 'copy')
    return { store: undefined, ...(JSON.parse(open(seal, row)) as object), kind, id, imageId } as Task
  throw new MullionError('internal', `task ${id}: unknown kind "${kind}"`, { details: {}, context: { imageId } })
}

/** Uploads were sealed once. One that cannot be read is killed: that is safe whatever its image was. */
function endOf(seal: Seal, row: TaskRow): UploadTask['onFailure'] {
  try {
    const text = row.payload?.startsWith('{') ? row.payload : open(seal, row)
    return (JSON.parse(text) as Partial<UploadTask>).onFailure === 'requeue' ? 'requeue' : 'kill'
  } catch {
    return 'kill'
  }
}

function open(seal: Seal, { image_id: imageId, payload }: TaskRow): string {
  return seal.open(payload ?? '', { imageId, purpose: 'task' })
}
