import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { MullionError } from 'mullion'
import type { Answer, Ask, CallName, Request, Response } from './calls.ts'
import { RbdError } from './errors.ts'
import { frameHead, FrameSplitter } from './frames.ts'
import { Turns } from './turns.ts'

export interface Answered<N extends CallName> {
  readonly answer: Answer<N>
  /** Its bytes, in the chunks they came in. */
  readonly payload: readonly Buffer[]
}

interface Pending {
  readonly call: CallName
  resolve(answered: Answered<CallName>): void
  reject(error: unknown): void
  /** Since it was sent. */
  timer?: NodeJS.Timeout
}

export interface ProcessOptions {
  /** Calls that run at once; more wait. */
  readonly threads: number
  readonly operationTimeoutMs: number
  /** What librados must not print into a log. */
  readonly secret?: string | undefined
  /** The process ended although nobody asked it to. */
  readonly onCrash: (reason: string) => void
}

/** These may take as long as they need: they consist of many operations, each with its limit. */
const ENDLESS: ReadonlySet<CallName> = new Set(['remove', 'trash', 'list', 'resize'])
/** After the limits of the libraries; who is still silent then is stuck. */
const GRACE_MS = 10_000
const END_PATIENCE_MS = 12_000
const KEPT_OUTPUT = 2000

/** The process that holds librbd, seen from the service. When it ends, however, all its calls reject `unavailable`. */
export class LibrbdProcess {
  readonly #options: ProcessOptions
  readonly #child: ChildProcess
  /** Undefined when there is no process. */
  readonly #socket: Duplex | undefined
  readonly #pending = new Map<number, Pending>()
  readonly #turns: Turns
  readonly #exited: Promise<unknown>
  #lastId = 0
  #output = ''
  /** Why no call can be made any more. */
  #over: MullionError | undefined
  #asked = false

  constructor(options: ProcessOptions) {
    this.#options = options
    this.#turns = new Turns(options.threads)
    const file = import.meta.url.endsWith('.ts') ? './child.ts' : './child.js'
    this.#child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url))], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      env: environment(options.threads),
    })
    this.#child.on('error', (error) => this.#end(`could not be started: ${error.message}`))
    this.#exited = once(this.#child, 'close').catch(() => {})
    // Without file descriptors left Node answers a child without any (lib/internal/child_process.js, spawn).
    const stdio = this.#child.stdio as ChildProcess['stdio'] | undefined
    this.#socket = (stdio?.[3] ?? undefined) as Duplex | undefined
    if (this.#socket) this.#listen(this.#socket)
    else this.#end('could not be started: too many open files')
    this.#rest()
  }

  get over(): boolean {
    return this.#over !== undefined
  }

  /**
   * The limit counts from when a thread is free for it: the calls before have limits of their own.
   * Rejects RbdError with what a function answered, `timeout`, or `unavailable` when the process ends meanwhile.
   */
  call<N extends CallName>(
    call: N,
    ask: Ask<N>,
    pieces: readonly Uint8Array[] = [],
    limitMs: number = this.#options.operationTimeoutMs,
  ): Promise<Answered<N>> {
    if (this.#over) return Promise.reject(this.#over)
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId
      this.#pending.set(id, { call, resolve: resolve as Pending['resolve'], reject })
      if (this.#pending.size === 1) this.#work()
      const begin = (): void => this.#send({ id, call, ask }, pieces, limitMs)
      // a ping needs no thread
      if (call === 'ping') begin()
      else this.#turns.take(ENDLESS.has(call), begin)
    })
  }

  #send(request: Request, pieces: readonly Uint8Array[], limitMs: number): void {
    const pending = this.#pending.get(request.id)
    if (!pending || !this.#socket || this.#over) return
    pending.timer = setTimeout(() => this.#late(request.id, limitMs), limitMs + GRACE_MS)
    const bytes = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
    this.#socket.cork()
    this.#socket.write(frameHead(request, bytes))
    for (const piece of pieces) this.#socket.write(piece)
    this.#socket.uncork()
  }

  /** Lets calls under way finish, closes what is open, and waits for the end. */
  async end(): Promise<void> {
    this.#asked = true
    if (!this.#socket) return
    this.#child.ref()
    this.#socket.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_PATIENCE_MS)
    await this.#exited
    clearTimeout(timer)
  }

  #listen(socket: Duplex): void {
    const splitter = new FrameSplitter()
    socket.on('data', (chunk: Buffer) => {
      for (const { header, payload } of splitter.push(chunk)) this.#settle(header as Response, payload)
    })
    socket.on('error', () => {}) // the end of the process says it all
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#output = this.#redacted(this.#output + chunk.toString()).slice(-KEPT_OUTPUT)
    })
    this.#child.once('exit', (code, signal) => this.#end(`ended with ${signal ?? `status ${code}`}`))
  }

  #settle(response: Response, payload: readonly Buffer[]): void {
    const pending = this.#taken(response.id)
    if (!pending) return
    if ('answer' in response) pending.resolve({ answer: response.answer, payload })
    else if ('failed' in response) pending.reject(new RbdError(response.failed, response.errno))
    else pending.reject(new Error(response.thrown))
  }

  /** librados prints a key that it cannot read. */
  #redacted(output: string): string {
    const secret = this.#options.secret?.trim()
    return secret ? output.replaceAll(secret, '<key>') : output
  }

  #late(id: number, limitMs: number): void {
    const pending = this.#pending.get(id)
    if (!pending) return
    const { call } = pending
    if (ENDLESS.has(call)) return this.#probe(pending)
    this.#taken(id)
    pending.reject(
      new MullionError('timeout', `rbd store: ${call} did not end within ${limitMs} ms`, { details: { limitMs } }),
    )
    this.#child.kill('SIGKILL')
  }

  /** A long call goes on as long as its process lives. */
  #probe({ timer }: Pending): void {
    timer?.refresh()
    this.call('ping', {}).catch(() => {})
  }

  #taken(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    if (!pending) return undefined
    clearTimeout(pending.timer)
    this.#pending.delete(id)
    if (pending.timer && pending.call !== 'ping') this.#turns.end(ENDLESS.has(pending.call))
    if (this.#pending.size === 0) this.#rest()
    return pending
  }

  #end(how: string): void {
    if (this.#over) return
    const reason = `the process of librbd ${how}`
    this.#over = new MullionError('unavailable', `rbd store: ${reason}`, { details: {} })
    for (const id of this.#pending.keys()) this.#taken(id)?.reject(this.#over)
    if (!this.#asked) this.#options.onCrash(this.#output === '' ? reason : `${reason}: ${this.#output.trim()}`)
  }

  /** A call under way keeps the service from ending by itself; an idle process does not. */
  #work(): void {
    this.#child.ref()
    for (const handle of this.#handles()) handle.ref()
  }

  #rest(): void {
    this.#child.unref()
    for (const handle of this.#handles()) handle.unref()
  }

  #handles(): readonly { ref(): void; unref(): void }[] {
    return [this.#socket, this.#child.stderr].filter(Boolean) as unknown as { ref(): void; unref(): void }[]
  }
}

/** Nothing that changes what Node or Ceph do: their libraries put it above the configuration. */
function environment(threads: number): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(?:CEPH_|NODE_|UV_)/.test(name))
  return { ...Object.fromEntries(kept), UV_THREADPOOL_SIZE: String(threads) }
}
