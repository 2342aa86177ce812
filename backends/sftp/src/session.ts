import type { MullionError } from 'mullion'
import type { SFTPWrapper } from 'ssh2'
import { failure, StatusError } from './errors.ts'

/** An SFTP channel over which requests of many operations go at once; the server answers them in turn. */
export interface Session {
  readonly offers: Offers
  /** Bytes of one read or write request. */
  readonly requestBytes: number
  /** Why it cannot be used any more. */
  readonly dropped: MullionError | undefined
  /**
   * Sends a request. `what` says so in errors. Rejects with a StatusError, or with the reason why the session was
   * dropped; always settles.
   */
  ask<T = void>(what: string, send: Send<T>): Promise<T>
  /** Whatever is in flight fails with the reason. */
  drop(reason: MullionError): void
}

export type Send<T> = (sftp: SFTPWrapper, done: (error: Error | null | undefined, result: T) => void) => void

/** Extensions of the OpenSSH file PROTOCOL, §4, and of draft-ietf-secsh-filexfer-extensions-00 (copy-data). */
export interface Offers {
  readonly hardlink: boolean
  readonly fsync: boolean
  readonly statvfs: boolean
  readonly copyData: boolean
}

/** What every server takes (draft-ietf-secsh-filexfer-02 §3: packets of 34000 bytes), less the head of a request. */
const EVERY_SERVER_TAKES = 32_000
/** More gains nothing and makes the steps of a transfer coarse. */
const MAX_REQUEST = 256 * 1024

export interface SessionOptions {
  /** User, host and port, for messages. */
  readonly where: string
  readonly responseTimeoutMs: number
  /** Called once, when the session is dropped. */
  readonly onDrop: () => void
}

export function session(sftp: SFTPWrapper, { where, responseTimeoutMs, onDrop }: SessionOptions): Session {
  const pending = new Set<(reason: Error) => void>()
  let dropped: MullionError | undefined
  let timer: NodeJS.Timeout | undefined

  function drop(reason: MullionError): void {
    if (dropped) return
    dropped = reason
    clearTimeout(timer)
    for (const reject of pending) reject(reason)
    pending.clear()
    onDrop()
  }

  /** One timer for all: a server answers in turn, so a request may wait for many others. */
  function listen(): void {
    if (pending.size === 0) {
      clearTimeout(timer)
      timer = undefined
    } else if (timer) timer.refresh()
    else timer = setTimeout(() => drop(silent(where, responseTimeoutMs)), responseTimeoutMs)
  }

  return {
    ...abilities(sftp),
    get dropped() {
      return dropped
    },
    drop,
    ask: (what, send) =>
      new Promise((resolve, reject) => {
        if (dropped) return reject(dropped)
        pending.add(reject)
        if (pending.size === 1) listen()
        // an answer to a request that was given up finds nobody
        send(sftp, (error, result) => {
          if (!pending.delete(reject)) return
          listen()
          if (!error) return resolve(result)
          const status = (error as { code?: unknown }).code
          if (typeof status === 'number') return reject(new StatusError(what, status, error.message))
          // ssh2 says "No response from server" when the connection ends, and the like when an answer is no SFTP
          drop(failure('unavailable', `${where}: ${what}: ${error.message}`, {}))
          reject(dropped)
        })
      }),
  }
}

/** The same session; calls `onAnswer` for each answer to what is asked through it. */
export function heard(inner: Session, onAnswer: () => void): Session {
  return {
    offers: inner.offers,
    requestBytes: inner.requestBytes,
    get dropped() {
      return inner.dropped
    },
    drop: inner.drop,
    async ask(what, send) {
      try {
        return await inner.ask(what, send)
      } finally {
        onAnswer()
      }
    },
  }
}

/** ssh2 lib/protocol/SFTP.js: fields that its typings leave out, filled from the greeting of the server. */
interface Internals {
  readonly _extensions?: Readonly<Record<string, string>>
  readonly _maxReadLen?: number
  readonly _maxWriteLen?: number
}

function abilities(sftp: SFTPWrapper): Pick<Session, 'offers' | 'requestBytes'> {
  const { _extensions = {}, _maxReadLen, _maxWriteLen } = sftp as unknown as Internals
  const most = Math.min(_maxReadLen ?? EVERY_SERVER_TAKES, _maxWriteLen ?? EVERY_SERVER_TAKES, MAX_REQUEST)
  return {
    requestBytes: Math.max(1, most),
    offers: {
      hardlink: _extensions['hardlink@openssh.com'] === '1',
      fsync: _extensions['fsync@openssh.com'] === '1',
      statvfs: _extensions['statvfs@openssh.com'] === '2',
      copyData: _extensions['copy-data'] === '1',
    },
  }
}

function silent(where: string, limitMs: number): MullionError<'timeout'> {
  return failure('timeout', `${where}: the server answered nothing for ${limitMs} ms`, { limitMs })
}
