import { connect as connectSocket, type Socket } from 'node:net'
import type { MullionError } from 'mullion'
import type { AlgorithmList, Algorithms, AnyAuthMethod, ServerHostKeyAlgorithm } from 'ssh2'
import SftpClient from 'ssh2-sftp-client'
import type { Settings } from './config.ts'
import { badConfig, connectionError, failure } from './errors.ts'
import type { HostKeys } from './host-key.ts'
import { usable } from './login.ts'
import { type Session, session } from './session.ts'

/** What every connection of one store is made from. */
export interface Server {
  readonly settings: Settings
  readonly hostKeys: HostKeys
  readonly logins: readonly AnyAuthMethod[]
}

export interface Connection {
  readonly session: Session
  /** Resolves once the socket is gone. What is in flight fails with `closed`. */
  close(): Promise<void>
}

/** How long a connection may take to say goodbye. */
const GOODBYE_MS = 1000

/**
 * Connects, verifies the key of the server, logs in and opens the SFTP session. Nothing is sent to a server with another
 * key. Rejects `unavailable`, `timeout`, `permission_denied` for the key, `unauthenticated`, or the reason of `signal`.
 */
export async function connect(server: Server, signal: AbortSignal): Promise<Connection> {
  const { settings } = server
  const { user, host, port, responseTimeoutMs } = settings
  const where = `${user}@${host}:${port}`
  signal.throwIfAborted()
  const logins = await usable(server.logins, signal)
  // ssh2 leaves Nagle's algorithm on, which makes each request wait for a delayed acknowledgement
  const socket = connectSocket({ host, port, noDelay: true })
  const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.on('error', () => {}) // ssh2 reports it; but it listens only from `connect` on
  const quiet = { error: () => {}, end: () => {}, close: () => {} }
  const client = new SftpClient('mullion', quiet)
  const limit = deadline(settings, socket, where)
  try {
    const sftp = await login({ ...server, logins }, client, socket, { signal, where, limit })
    let closing = false
    // a reset, or the system would keep on sending what a dead server does not take
    const onDrop = (): void => void (closing || socket.resetAndDestroy())
    const opened = session(sftp, { where, responseTimeoutMs, onDrop })
    const lost = (error?: unknown): void => {
      opened.drop(lostError(error instanceof Error ? error : new Error('the connection ended'), settings, where))
    }
    client.on('error', lost)
    client.on('close', lost)
    for (const event of ['error', 'end', 'close']) sftp.on(event, lost)
    if (socket.destroyed) lost()
    return {
      session: opened,
      close() {
        closing = true
        return close(opened, client, socket, gone)
      },
    }
  } catch (error) {
    socket.destroy()
    throw error
  } finally {
    limit.end()
  }
}

interface Deadline {
  /** Rejects `timeout`. */
  readonly passed: Promise<never>
  end(): void
}

function deadline({ connectTimeoutMs, handshakeTimeoutMs }: Settings, socket: Socket, where: string): Deadline {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => {})
  const after = (limitMs: number, what: string): NodeJS.Timeout =>
    setTimeout(() => reject(failure('timeout', `${where}: ${what} within ${limitMs} ms`, { limitMs })), limitMs)
  let timer = after(connectTimeoutMs, 'no connection')
  const onConnect = (): void => {
    clearTimeout(timer)
    timer = after(handshakeTimeoutMs, 'no SFTP session')
  }
  socket.once('connect', onConnect)
  return {
    passed: promise,
    end() {
      socket.off('connect', onConnect)
      clearTimeout(timer)
    },
  }
}

/** The first reason counts: ssh2-sftp-client passes errors on without the level that tells what they mean. */
async function login(
  { settings, hostKeys, logins }: Server,
  client: SftpClient,
  socket: Socket,
  { signal, where, limit }: { readonly signal: AbortSignal; readonly where: string; readonly limit: Deadline },
): ReturnType<SftpClient['connect']> {
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  let refusal: MullionError | undefined
  let reason: unknown
  client.on('error', (error: unknown) => {
    reason ??= error
  })
  const connecting = client.connect({
    sock: socket,
    username: settings.user,
    authHandler: [...logins],
    hostVerifier: (key: Buffer) => {
      refusal = hostKeys.refusal(key)
      return refusal === undefined
    },
    algorithms: algorithms(settings.algorithms, hostKeys.algorithms),
    keepaliveInterval: settings.keepaliveIntervalMs,
    keepaliveCountMax: KEEPALIVES,
    readyTimeout: 0, // `limit` also covers what comes after the login
  })
  try {
    return await Promise.race([connecting, limit.passed, aborted.promise])
  } catch (error) {
    connecting.catch(() => {})
    if (signal.aborted) throw error
    const { message } = error as Error
    if (message.startsWith('Unsupported algorithm')) throw badConfig(`algorithms: ${message}`)
    throw refusal ?? connectionError(reason ?? error, where)
  } finally {
    aborted.promise.catch(() => {})
    signal.removeEventListener('abort', onAbort)
  }
}

function algorithms(configured: Algorithms = {}, known: readonly ServerHostKeyAlgorithm[]): Algorithms {
  // in this order, as ssh2 prepends nothing that its list already has
  const first: AlgorithmList<ServerHostKeyAlgorithm> = { remove: [...known], prepend: [...known], append: [] }
  return { ...(known.length > 0 && { serverHostKey: first }), ...configured }
}

/** How many keepalive questions may go without an answer. */
const KEEPALIVES = 3

function lostError(error: Error, { keepaliveIntervalMs }: Settings, where: string): MullionError {
  if (!('level' in error) || error.level !== 'client-timeout') return connectionError(error, where)
  const limitMs = keepaliveIntervalMs * (KEEPALIVES + 1)
  return failure('timeout', `${where}: the server gave no sign of life for ${limitMs} ms`, { limitMs })
}

/** Says goodbye, but does not wait for an answer. */
async function close(opened: Session, client: SftpClient, socket: Socket, gone: Promise<void>): Promise<void> {
  const timer = setTimeout(() => socket.resetAndDestroy(), GOODBYE_MS)
  if (!opened.dropped) void client.end().catch(() => {})
  socket.destroySoon()
  opened.drop(failure('closed', 'the store was closed', {}))
  await gone
  clearTimeout(timer)
}
