/** The identity service cannot be asked now. */
export class KeystoneUnavailable extends Error {
  override readonly name = 'KeystoneUnavailable'
  /** How long the service wants to be left alone, where it says so. */
  readonly pauseMs: number | undefined
  /** Whether the service as a whole fails, and not only at this question. */
  readonly isDown: boolean

  constructor(message: string, { pauseMs, isDown = true }: { pauseMs?: number | undefined; isDown?: boolean } = {}) {
    super(message)
    this.pauseMs = pauseMs
    this.isDown = isDown
  }
}

export interface BreakerOptions {
  /** Milliseconds, of any clock that only moves forwards. */
  readonly now: () => number
  /** Told once when questions stop being asked, and once when they are asked again. */
  readonly onChange?: (state: 'open' | 'closed', why: string) => void
}

/** Leaves a service alone that fails, so that it is not asked by everybody at the moment it comes back. */
export interface Breaker {
  /** Rejects KeystoneUnavailable, `pauseMs` set, without calling `ask` while the service is left alone. */
  run<T>(ask: () => Promise<T>): Promise<T>
}

const TOLERATED = 3 // failures in a row
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 30_000

/** After some failures in a row there is a pause, then one question; each that fails again doubles the pause. */
export function createBreaker({ now, onChange = () => {} }: BreakerOptions): Breaker {
  let failures = 0
  let openUntil = 0
  let probing = false

  function failed({ message, pauseMs = 0 }: KeystoneUnavailable): void {
    if (failures >= TOLERATED && now() < openUntil) return // asked before the pause began
    failures++
    if (failures < TOLERATED && pauseMs === 0) return
    const isNew = failures <= TOLERATED
    failures = Math.max(failures, TOLERATED)
    const doubled = Math.min(FIRST_PAUSE_MS * 2 ** (failures - TOLERATED), LONGEST_PAUSE_MS)
    openUntil = now() + Math.max(doubled, Math.min(pauseMs, LONGEST_PAUSE_MS))
    if (isNew) onChange('open', message)
  }

  function answered(): void {
    if (failures >= TOLERATED) onChange('closed', 'keystone: answers again')
    failures = 0
  }

  return {
    async run(ask) {
      const isOpen = failures >= TOLERATED
      const restMs = openUntil - now()
      if (isOpen && (restMs > 0 || probing)) {
        const pauseMs = Math.max(restMs, FIRST_PAUSE_MS)
        throw new KeystoneUnavailable('keystone: left alone after failures', { pauseMs, isDown: false })
      }
      probing = isOpen
      try {
        const answer = await ask()
        answered()
        return answer
      } catch (error) {
        if (error instanceof KeystoneUnavailable && error.isDown) failed(error)
        else answered()
        throw error
      } finally {
        if (isOpen) probing = false
      }
    },
  }
}
