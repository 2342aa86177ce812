import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { MullionError } from 'mullion'
import type { Answer, Ask, CallName, Request, Response } from './calls.ts'
import { RbdError } from './errors.ts'
import { frameHead, FrameSplitter } from './frames.ts'

export interface Answered<N extends CallName> {
  readonly answer: Answer<N>
  /** Its bytes, in the chunks they came in. */
  readonly payload: readonly Buffer[]
}

interface Pending {
  resolve(answered: Answered<CallName>): void
  reject(error: unknown): void
  readonly timer: NodeJS.Timeout
}

export interface ProcessOptions {
  /** Calls that run at once; more wait. */
  readonly threads: number
  readonly operationTimeoutMs: number
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
  readonly #socket: Duplex
  readonly #pending = new Map<number, Pending>()
  readonly #exited: Promise<unknown>
  #lastId = 0
  #output = ''
  /** Why no call can be made any more. */
  #over: MullionError | undefined
  #asked = false

  constructor(options: ProcessOptions) {
    this.#options = options
    const file = import.meta.url.endsWith('.ts') ? './child.ts' : './child.js'
    this.#child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url))], {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      env: environment(options.threads),
    })
    this.#socket = this.#child.stdio[3] as Duplex
    this.#exited = once(this.#child, 'close').catch(() => {})
    this.#listen()
    this.#rest()
  }

  get over(): boolean {
    return this.#over !== undefined
  }

  /** Rejects RbdError with what a function answered, `timeout`, or `unavailable` when the process ends meanwhile. */
  call<N extends CallName>(
    call: N,
    ask: Ask<N>,
    pieces: readonly Uint8Array[] = [],
    limitMs: number = this.#options.operationTimeoutMs,
  ): Promise<Answered<N>> {
    if (this.#over) return Promise.reject(this.#over)
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId
      const timer = setTimeout(() => this.#late(id, call, limitMs), limitMs + GRACE_MS)
      this.#pending.set(id, {
        resolve: resolve as Pending['resolve'],
        reject,
        timer,
      })
      if (this.#pending.size === 1) this.#work()
      const request: Request<N> = { id, call, ask }
      this.#socket.cork()
      this.#socket.write(
        frameHead(
          request,
          pieces.reduce((sum, { byteLength }) => sum + byteLength, 0),
        ),
      )
      for (const piece of pieces) this.#socket.write(piece)
      this.#socket.uncork()
    })
  }

  /** Lets calls under way finish, closes what is open, and waits for the end. */
  async end(): Promise<void> {
    this.#asked = true
    this.#child.ref()
    this.#socket.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), END_PATIENCE_MS)
    await this.#exited
    clearTimeout(timer)
  }

  #listen(): void {
    const splitter = new FrameSplitter()
    this.#socket.on('data', (chunk: Buffer) => {
      for (const { header, payload } of splitter.push(chunk)) this.#settle(header as Response, payload)
    })
    this.#socket.on('error', () => {}) // the end of the process says it all
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString()).slice(-KEPT_OUTPUT)
    })
    this.#child.once('error', (error) => this.#end(`could not be started: ${error.message}`))
    this.#child.once('exit', (code, signal) => this.#end(`ended with ${signal ?? `status ${code}`}`))
  }

  #settle(response: Response, payload: readonly Buffer[]): void {
    const pending = this.#taken(response.id)
    if (!pending) return
    if ('answer' in response) pending.resolve({ answer: response.answer, payload })
    else if ('failed' in response) pending.reject(new RbdError(response.failed, response.errno))
    else pending.reject(new Error(response.thrown))
  }

  #late(id: number, call: CallName, limitMs: number): void {
    const pending = this.#pending.get(id)
    if (!pending) return
    if (ENDLESS.has(call)) return this.#probe(pending)
    this.#taken(id)
    pending.reject(
      new MullionError('timeout', `rbd store: ${call} did not end within ${limitMs} ms`, { details: { limitMs } }),
    )
    this.#child.kill('SIGKILL')
  }

  /** A long call goes on as long as its process lives. */
  #probe({ timer }: Pending): void {
    timer.refresh()
    this.call('ping', {}).catch(() => {})
  }

  #taken(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    if (!pending) return undefined
    clearTimeout(pending.timer)
    this.#pending.delete(id)
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
    return [this.#socket, this.#child.stderr] as unknown as { ref(): void; unref(): void }[]
  }
}

/** Nothing that changes what Node or Ceph do: their libraries put it above the configuration. */
function environment(threads: number): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(?:CEPH_|NODE_|UV_)/.test(name))
  return { ...Object.fromEntries(kept), UV_THREADPOOL_SIZE: String(threads) }
}
