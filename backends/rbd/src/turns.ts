interface Waiting {
  readonly long: boolean
  readonly begin: () => void
}

/** Who calls when there are more calls than threads. Long ones leave half of the threads to the others. */
export class Turns {
  readonly #most: number
  readonly #mostLong: number
  readonly #waiting: Waiting[] = []
  #running = 0
  #long = 0

  constructor(threads: number) {
    this.#most = threads
    this.#mostLong = Math.max(1, Math.floor(threads / 2))
  }

  /** Calls `begin` now or later. Each that has begun must be told to `end` once. */
  take(long: boolean, begin: () => void): void {
    this.#waiting.push({ long, begin })
    this.#next()
  }

  end(long: boolean): void {
    this.#running -= 1
    if (long) this.#long -= 1
    this.#next()
  }

  #next(): void {
    while (this.#running < this.#most) {
      const index = this.#waiting.findIndex(({ long }) => !long || this.#long < this.#mostLong)
      const [next] = index === -1 ? [] : this.#waiting.splice(index, 1)
      if (!next) return
      this.#running += 1
      if (next.long) this.#long += 1
      next.begin()
    }
  }
}
