/** One digest of one pass over the bytes. */
export interface Digest {
  /** A promise means: wait for it before the next call. */
  update(chunk: Uint8Array): void | Promise<void>
  /** Lower-case hex. Ends the pass; called once. */
  digest(): string | Promise<string>
  /** Ends a pass that nobody wants any more. */
  drop(): void
}
