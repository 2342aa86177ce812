import { orAborted } from 'mullion'
import { isStatus, STATUS } from './errors.ts'
import { fsync, type Handle, write as writeAt } from './files.ts'
import type { Session } from './session.ts'

/** Takes the bytes of a file from its start to its end. */
export interface Output {
  /** Resolves when more may come. Rejects with what an earlier write failed with, or the reason of the signal. */
  write(chunk: Uint8Array): Promise<void>
  /** Resolves with the length once the server has written everything. */
  end(): Promise<number>
}

/** Requests under way for one file. */
const WINDOW = 16
/** A sync in between keeps the last one short, whatever the memory of the server holds back. */
const SYNC_EVERY = 1024 ** 3

/** Gathers chunks into requests of full size, and sends the next while the last are under way. */
export function pipelined(session: Session, handle: Handle, path: string, signal: AbortSignal): Output {
  const { requestBytes } = session
  const requests = underWay(signal)
  let gathered: Buffer | undefined
  let filled = 0
  let sent = 0
  let synced = 0

  async function send(data: Buffer): Promise<void> {
    await requests.atMost(WINDOW - 1)
    requests.add(writeAt(session, handle, path, data, sent))
    sent += data.length
    if (sent - synced < SYNC_EVERY) return
    synced = sent
    requests.add(durable(session, handle, path))
  }

  async function flush(): Promise<void> {
    if (!gathered || filled === 0) return
    const data = gathered.subarray(0, filled)
    filled = 0
    await send(data)
  }

  /** Answers how many bytes it took. */
  async function take(chunk: Uint8Array): Promise<number> {
    if (filled === 0 && chunk.byteLength >= requestBytes) {
      await send(Buffer.from(chunk.buffer, chunk.byteOffset, requestBytes))
      return requestBytes
    }
    gathered ??= Buffer.allocUnsafeSlow(requestBytes)
    const piece = chunk.subarray(0, requestBytes - filled)
    gathered.set(piece, filled)
    filled += piece.byteLength
    if (filled === requestBytes) await flush()
    return piece.byteLength
  }

  return {
    async write(chunk) {
      for (let at = 0; at < chunk.byteLength; ) at += await take(chunk.subarray(at))
    },
    async end() {
      await flush()
      await requests.atMost(0)
      return sent
    },
  }
}

/** Requests that nobody awaits one by one. */
interface UnderWay {
  add(request: Promise<void>): void
  /** Resolves once no more than so many are left. Rejects with what one failed with, or the reason of the signal. */
  atMost(count: number): Promise<void>
}

function underWay(signal: AbortSignal): UnderWay {
  let left = 0
  let failed: { readonly error: unknown } | undefined
  let wake: (() => void) | undefined
  const over = (): void => {
    left -= 1
    wake?.()
  }
  return {
    add(request) {
      left += 1
      request.then(over, (error: unknown) => {
        failed ??= { error }
        over()
      })
    },
    async atMost(count) {
      for (;;) {
        if (failed) throw failed.error
        if (left <= count) return
        const woken = new Promise<void>((resolve) => {
          wake = resolve
        })
        await orAborted(woken, signal)
      }
    },
  }
}

/** On the disk of the server, where it offers that. */
export async function durable(session: Session, handle: Handle, path: string): Promise<void> {
  if (!session.offers.fsync) return
  await fsync(session, handle, path).catch((error: unknown) => {
    if (!isStatus(error, STATUS.unsupported)) throw error
  })
}
