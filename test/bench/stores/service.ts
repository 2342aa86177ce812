import type { Command } from './measure.ts'
import type { Peers } from './peers.ts'

/** What a benchmark runs against, as one of the scripts in test/services prints it. */
export interface Service {
  readonly name: string
  /** Settings it needs, and the script that prints them. */
  readonly env: readonly string[]
  readonly script?: string
  /** Reads settings; nothing is made yet. */
  open(setup: Setup): Promise<OpenedService>
}

export interface Setup {
  readonly settings: Readonly<Record<string, string>>
  /** Bytes of `sample`. */
  readonly size: number
  /** The file that is sent. */
  readonly sample: string
  /** A directory on a disk. */
  readonly dir: string
  readonly peers: Peers
  /** Flags for the Node that runs mullion. */
  readonly flags: readonly string[]
}

export interface OpenedService {
  readonly tools: readonly Tool[]
  /** A place that no other run uses. Disposing removes it with all that is in it. */
  place(): Promise<Place>
}

export interface Place extends AsyncDisposable {
  /** Of the bucket, container, directory or namespace. */
  readonly name: string
}

/** One program that moves an object between a file and a service. */
export interface Tool {
  readonly name: string
  /** Gets ready and does nothing: what is in the figures of the others and no transfer. */
  start?(transfer: Transfer): Command
  add?(transfer: Transfer): Command
  get?(transfer: Transfer): Command
}

export interface Transfer {
  readonly place: string
  readonly key: string
  readonly file: string
  /** What `add` printed. */
  readonly added: string
}
