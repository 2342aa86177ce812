import { setMaxListeners } from 'node:events'
import { type AbortScope, abortScope } from './abort.ts'
import { MullionError } from './errors.ts'

/** Which calls are under way between opening and closing. */
export interface Lifetime {
  /** Throws `closed` after close. Call `end` when the call and the body it handed out are over; more than once is fine. */
  begin(signal: AbortSignal | undefined): { readonly scope: AbortScope; readonly end: () => void }
  /** Aborts what is under way with `closed`, waits for it, then runs `after`. A second call waits for the first. */
  close(): Promise<void>
}

export function lifetime(after: () => Promise<void>): Lifetime {
  const closing = new AbortController()
  setMaxListeners(0, closing.signal)
  let active = 0
  let quiet: (() => void) | undefined
  let closed: Promise<void> | undefined

  async function shut(): Promise<void> {
    const drained = new Promise<void>((resolve) => {
      quiet = resolve
    })
    closing.abort(closedError())
    if (active > 0) await drained
    await after()
  }

  return {
    begin(signal) {
      if (closed) throw closedError()
      const scope = abortScope(closing.signal, signal)
      active += 1
      let ended = false
      const end = (): void => {
        if (ended) return
        ended = true
        scope[Symbol.dispose]()
        active -= 1
        if (active === 0) quiet?.()
      }
      return { scope, end }
    },
    close() {
      closed ??= shut()
      return closed
    },
  }
}

const closedError = (): MullionError<'closed'> => new MullionError('closed', 'stores: closed', { details: {} })
