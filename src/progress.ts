export interface Progress {
  /** Bytes so far, of this attempt. */
  readonly bytes: number
  /** Bytes in all, undefined when nobody knows. */
  readonly total: number | undefined
}

/** Called at most every 100 ms, and once at the end. An error it throws fails the transfer. */
export type OnProgress = (progress: Progress) => void

const EVERY_MS = 100

/** Thins out reports: a call per chunk costs a look at the clock. */
export function reporter(
  onProgress: OnProgress | undefined,
  total: number | undefined,
): { tick(bytes: number): void; end(bytes: number): void } {
  if (!onProgress) return { tick() {}, end() {} }
  let last = performance.now()
  return {
    tick(bytes) {
      const now = performance.now()
      if (now - last < EVERY_MS) return
      last = now
      onProgress({ bytes, total })
    },
    end: (bytes) => onProgress({ bytes, total }),
  }
}
