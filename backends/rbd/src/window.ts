/** So many pieces of work at once. The first failure is thrown to who adds or waits; nothing is left running unheard. */
export class Window {
  readonly #limit: number
  readonly #running = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Resolves once the work has begun. */
  async add(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#limit) await Promise.race(this.#running)
    this.#check()
    const running = work().catch((error: unknown) => {
      this.#failure ??= { error }
    })
    this.#running.add(running)
    void running.finally(() => this.#running.delete(running))
  }

  /** Resolves when all work has ended. */
  async end(): Promise<void> {
    await this.settled()
    this.#check()
  }

  /** As `end`, but never rejects. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error
  }
}
