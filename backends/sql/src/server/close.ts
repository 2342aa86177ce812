import type { Socket } from 'node:net'

const GOODBYE_MS = 1000

/** Resolves once the socket is closed: by the goodbye, or by force a second later. Never rejects. */
export async function closed(socket: Socket, sayGoodbye: () => void): Promise<void> {
  if (socket.closed) return
  const closing = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  const timer = setTimeout(() => socket.destroy(), GOODBYE_MS)
  try {
    sayGoodbye()
  } catch {
    socket.destroy()
  }
  await closing
  clearTimeout(timer)
}
