import { type Image, isClaimOf } from 'mullion/images'
import type { Diagnosis } from './findings.ts'

export function isComing({ status }: Image): boolean {
  return status === 'saving' || status === 'uploading' || status === 'importing'
}

/** Nothing makes it active, or brings its data, any more. */
export function isEnded({ status }: Image): boolean {
  return status === 'killed' || status === 'deleted'
}

/** Nobody holds, and nobody will take up, the task under which its data comes in. The tasks are read after the image. */
export async function isStalled({ ports: { tasks } }: Pick<Diagnosis, 'ports'>, image: Image): Promise<boolean> {
  if (!isComing(image)) return false
  const open = await tasks.list()
  return !open.some(({ id, imageId }) => isClaimOf(id, image.writer) || imageId === image.id)
}

export function isOverdue(run: Diagnosis, { deletedAt, locations }: Image): boolean {
  if (deletedAt === undefined || !locations.some(({ status }) => status === 'pending_delete')) return false
  return deletedAt.getTime() < run.startedAt.getTime() - run.scrubMs - run.graceMs
}
