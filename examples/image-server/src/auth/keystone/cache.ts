/** Values for a while, at most so many; the one that was used least recently makes room. */
export interface BoundedCache<T> {
  get(key: string): T | undefined
  /** `until` is a moment of the cache's clock; one that is over keeps nothing. */
  set(key: string, value: T, until: number): void
}

export function boundedCache<T>(size: number, now: () => number): BoundedCache<T> {
  const entries = new Map<string, { readonly value: T; readonly until: number }>()
  return {
    get(key) {
      const entry = entries.get(key)
      if (!entry) return undefined
      entries.delete(key)
      if (now() >= entry.until) return undefined
      entries.set(key, entry) // a Map keeps the order of insertion
      return entry.value
    },
    set(key, value, until) {
      entries.delete(key)
      if (now() >= until || size === 0) return
      for (const oldest of entries.keys()) {
        if (entries.size < size) break
        entries.delete(oldest)
      }
      entries.set(key, { value, until })
    },
  }
}
