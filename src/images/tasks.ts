/** Work as plain data, so that a restart can pick it up again. */
export type Task = CopyTask

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
