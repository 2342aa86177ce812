import { isMullionError, MullionError } from 'mullion'
import type { Answer, Ask, CallName, Place } from './calls.ts'
import type { RbdSettings } from './config.ts'
import { failedWith, invalidConfig, RbdError } from './errors.ts'
import { type Answered, LibrbdProcess } from './process.ts'

/** A process that is connected to the cluster. When it has crashed its calls reject; a new session has to be asked for. */
export interface Session {
  readonly fsid: string
  call<N extends CallName>(call: N, ask: Ask<N>, pieces?: readonly Uint8Array[]): Promise<Answer<N>>
  /** A call that answers bytes. */
  bytes(ask: Ask<'read'>): Promise<readonly Buffer[]>
}

interface Current {
  readonly process: LibrbdProcess
  readonly loaded: Promise<Answered<'load'>>
  session?: Promise<Session>
}

/** The way to the cluster: one process, started when there is none, connected when it is needed. */
export class Connection {
  readonly #settings: RbdSettings
  readonly #log: (message: string, fields: Readonly<Record<string, unknown>>) => void
  #current: Current | undefined
  #fsid: string | undefined
  #closed = false

  constructor(settings: RbdSettings, log: Connection['log']) {
    this.#settings = settings
    this.#log = log
    this.#fsid = settings.fsid
  }

  get log(): (message: string, fields: Readonly<Record<string, unknown>>) => void {
    return this.#log
  }

  /** Of the cluster: configured, read from Ceph's configuration, or learnt when connected. */
  get fsid(): string | undefined {
    return this.#fsid
  }

  get place(): Place {
    return { pool: this.#settings.pool, namespace: this.#settings.namespace }
  }

  /** Starts the process and loads the libraries; asks nothing of the cluster. Rejects `invalid_config`. */
  async load(): Promise<void> {
    try {
      const { answer } = await this.#started().loaded
      this.#fsid ??= answer.fsid?.toLowerCase()
    } catch (error) {
      await this.#abandon()
      throw this.#loadError(error)
    }
  }

  async session(): Promise<Session> {
    this.#mustBeOpen()
    await this.load()
    this.#mustBeOpen() // a process started now would outlive the store
    const current = this.#started()
    current.session ??= this.#connect(current.process)
    return current.session
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new MullionError('closed', 'rbd store: closed', { details: {} })
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#abandon()
  }

  #started(): Current {
    if (this.#current && !this.#current.process.over) return this.#current
    const { uploadConcurrency, downloadConcurrency, operationTimeoutMs, key } = this.#settings
    const process = new LibrbdProcess({
      threads: Math.min(128, 8 + 4 * (uploadConcurrency + downloadConcurrency)),
      operationTimeoutMs,
      secret: key,
      onCrash: (reason) => this.#log('the process of librbd ended; the next call starts another', { reason }),
    })
    const loaded = process.call('load', this.#options())
    loaded.catch(() => {}) // heard by who asked for it
    this.#current = { process, loaded }
    return this.#current
  }

  async #connect(process: LibrbdProcess): Promise<Session> {
    try {
      const { answer } = await process.call('connect', this.place, [], this.#settings.connectTimeoutMs)
      const fsid = answer.fsid.toLowerCase()
      if (this.#settings.fsid !== undefined && fsid !== this.#settings.fsid) {
        throw invalidConfig(`fsid: expected ${this.#settings.fsid}, the cluster has ${fsid}`)
      }
      this.#fsid = fsid
      return {
        fsid,
        call: async (call, ask, pieces) => (await this.#heeded(process, process.call(call, ask, pieces))).answer,
        bytes: async (ask) => (await this.#heeded(process, process.call('read', ask))).payload,
      }
    } catch (error) {
      await this.#abandon() // what failed to connect cannot be asked again
      throw this.#connectError(error)
    }
  }

  /** A client that the cluster has blocklisted never gets back in: the next call starts another. */
  async #heeded<T>(process: LibrbdProcess, call: Promise<T>): Promise<T> {
    try {
      return await call
    } catch (error) {
      if (failedWith(error, 'ESHUTDOWN') && this.#current?.process === process) void this.#abandon()
      throw error
    }
  }

  async #abandon(): Promise<void> {
    const current = this.#current
    this.#current = undefined
    await current?.process.end()
  }

  #options(): Ask<'load'> {
    const { user, confFile, monHost, keyring, key, connectTimeoutMs, operationTimeoutMs } = this.#settings
    return {
      user,
      confFile: confFile ?? (monHost === undefined ? undefined : false),
      settings: {
        ...(monHost !== undefined && { mon_host: monHost }),
        ...(keyring !== undefined && { keyring }),
        ...(key !== undefined && { key }),
        client_mount_timeout: seconds(connectTimeoutMs),
        rados_mon_op_timeout: seconds(operationTimeoutMs),
        rados_osd_op_timeout: seconds(operationTimeoutMs),
        // A write that was answered is on disk, and the cache would hide errors until the flush.
        rbd_cache: 'false',
        log_file: '',
        admin_socket: '',
      },
    }
  }

  #loadError(error: unknown): unknown {
    if (isMullionError(error)) return error
    if (failedWith(error, 'ENOENT')) {
      return invalidConfig(
        `confFile: ${this.#settings.confFile ?? 'no ceph.conf in the usual places'} is not there`,
        error,
      )
    }
    if (error instanceof RbdError) return invalidConfig(`ceph refuses the configuration: ${error.message}`, error)
    const said = error instanceof Error ? error.message : String(error)
    if (said.startsWith('spawn ')) {
      const message = `rbd store: the process of librbd could not be started: ${said}`
      return new MullionError('unavailable', message, { details: {}, cause: error })
    }
    return invalidConfig(
      `cannot load librbd and librados (${said}); install librbd1 and librados2, or ceph-common`,
      error,
    )
  }

  #connectError(error: unknown): unknown {
    const { user, pool, keyring, connectTimeoutMs } = this.#settings
    if (!(error instanceof RbdError)) return error
    if (error.call === 'rados_ioctx_create') {
      return failedWith(error, 'ENOENT') ? invalidConfig(`pool: there is no pool ${pool}`, error) : error
    }
    if (failedWith(error, 'ETIMEDOUT')) {
      const message = `rbd store: no monitor answered within ${connectTimeoutMs} ms`
      return new MullionError('unavailable', message, { details: {}, cause: error })
    }
    if (failedWith(error, 'EACCES', 'EPERM', 'EKEYREJECTED')) {
      const message = `rbd store: the cluster does not accept the key of client.${user}`
      return new MullionError('unauthenticated', message, { details: {}, cause: error })
    }
    if (failedWith(error, 'EINVAL')) return invalidConfig('key or keyring: not a key of cephx', error)
    if (failedWith(error, 'ENOENT')) {
      return invalidConfig(`keyring: no key of client.${user} in ${keyring ?? 'the usual places'}`, error)
    }
    return error
  }
}

const seconds = (ms: number): string => String(Math.ceil(ms / 1000))
