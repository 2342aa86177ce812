/** Work as plain data, so that a restart can pick it up again. */
export type Task = CopyTask | UploadTask

/** Fetch `uri` and store it as the data of the image (Images v1, copy_from). */
export interface CopyTask {
  readonly kind: 'copy'
  readonly id: string
  readonly imageId: string
  /** May hold a secret. */
  readonly uri: string
  /** Store to copy to; undefined for the default. */
  readonly store: string | undefined
}

/**
 * A client sends the data of the image to the server that holds this task. Nobody else can go on with it: who takes it
 * over cleans up.
 */
export interface UploadTask {
  readonly kind: 'upload'
  readonly id: string
  readonly imageId: string
  /** What the end of the upload without its data makes of the image. */
  readonly onFailure: 'kill' | 'requeue'
}

/** The right to do a task, until its lease runs out. */
export interface Claim<T extends Task = Task> {
  readonly task: T
  readonly worker: string
  /** `claimToken` of the task and the attempt. While the claim's holder brings data it is the image's `writer`. */
  readonly token: string
  /** 1 for the first claim of the task, 2 when that was lost or given back, … */
  readonly attempt: number
  /** How long the lease lasts from each renewal. */
  readonly leaseMs: number
}

/** Never the same for two claims, and it tells the task. */
export function claimToken(taskId: string, attempt: number): string {
  return `${taskId}.${attempt}`
}

/** The writer of an image that was taken from `writer`: of the same task, and nobody's. */
export function fenceToken(writer: string | undefined): string {
  const taskId = writer?.slice(0, writer.lastIndexOf('.')) ?? ''
  return `${taskId}.fence-${crypto.randomUUID().slice(0, 8)}`
}

/** Whether a token is that of some claim of the task. */
export function isClaimOf(taskId: string, token: string | undefined): boolean {
  return token !== undefined && token.slice(0, token.lastIndexOf('.')) === taskId
}

/** A task as an operator sees it. */
export interface OpenTask {
  readonly id: string
  readonly kind: Task['kind']
  readonly imageId: string
  readonly createdAt: Date
  /** Claims so far. */
  readonly attempts: number
  /** Undefined while it waits. */
  readonly held:
    | { readonly worker: string; readonly token: string; readonly until: Date; readonly expired: boolean }
    | undefined
}
