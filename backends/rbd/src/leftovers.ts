import type { Connection } from './connection.ts'
import { type Left, parseDraftName, removeDraft } from './draft.ts'

/** The cluster takes a client that vanished for alive for 30 s (osd_client_watch_timeout). */
const RETRY_MS = 20_000

export interface LeftoversOptions {
  readonly connection: Connection
  readonly log: (message: string, fields: Readonly<Record<string, unknown>>) => void
  readonly now: () => number
  readonly retryMs?: number
}

/** What could not be removed at once, and what crashes left: removed in the background until `close`. */
export class Leftovers {
  readonly #options: LeftoversOptions
  readonly #waiting = new Map<string, Left>()
  #timer: NodeJS.Timeout | undefined
  #working: Promise<void> | undefined
  #closed = false

  constructor(options: LeftoversOptions) {
    this.#options = options
  }

  /** `error` is why it could not be removed at once. */
  add(left: Left, error: unknown): void {
    this.#waiting.set(left.name, left)
    this.#options.log('could not remove an image that a failed upload left; tries again', { image: left.name, error })
    this.#plan()
  }

  /** Takes up unpublished images that are older than `ageMs`. Whether somebody still writes them, the cluster knows. */
  async sweep(ageMs: number): Promise<void> {
    const { connection, now, log } = this.#options
    try {
      const session = await connection.session()
      const { images } = await session.call('list', connection.place)
      for (const { name } of images) {
        const draft = parseDraftName(name)
        if (draft && now() - draft.begun >= ageMs) this.#waiting.set(name, { key: draft.key, name })
      }
      await this.#work()
    } catch (error) {
      if (!this.#closed) log('could not look for what interrupted uploads left', { error })
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#working
  }

  #plan(): void {
    if (this.#closed || this.#timer || this.#waiting.size === 0) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.#work()
    }, this.#options.retryMs ?? RETRY_MS)
    this.#timer.unref()
  }

  #work(): Promise<void> {
    this.#working ??= this.#removeAll().finally(() => {
      this.#working = undefined
      this.#plan()
    })
    return this.#working
  }

  async #removeAll(): Promise<void> {
    const { connection, log } = this.#options
    for (const [name, left] of this.#waiting) {
      if (this.#closed) return
      try {
        const result = await removeDraft(await connection.session(), connection.place, left)
        this.#waiting.delete(name)
        if (result === 'removed') log('removed an image that an interrupted upload left', { image: name })
        else
          log('kept an image that has the name of an interrupted upload besides its own', {
            image: name,
            key: left.key,
          })
      } catch {
        // later
      }
    }
  }
}
