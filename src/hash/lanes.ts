import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

/** What a thread is told about one digest; `end` and `drop` are the last. */
export type LaneMessage =
  | { readonly kind: 'start'; readonly algorithm: string }
  | { readonly kind: 'bytes'; readonly buffer: ArrayBuffer; readonly length: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'drop' }

/** What it answers: the buffer it has read, or the digest. */
export type LaneAnswer = { readonly buffer: ArrayBuffer } | { readonly hex: string }

export type Numbered<T> = T & { readonly id: number }

/** The way of one digest to its thread. */
export interface Lane {
  post(message: LaneMessage, transfer?: readonly ArrayBuffer[]): void
  /** Nothing more comes. */
  leave(): void
}

/** Hears from the thread. */
export interface LaneStream {
  returned(buffer: ArrayBuffer): void
  digested(hex: string): void
  /** The thread died. */
  failed(error: unknown): void
}

interface Thread {
  readonly worker: Worker
  readonly streams: Map<number, LaneStream>
}

/** One core is for the event loop; more threads than this help no disk or network there is. */
const MOST_THREADS = Math.max(1, Math.min(4, availableParallelism() - 1))

let threads: readonly Promise<Thread | undefined>[] = []
let lastId = 0

/** Undefined where threads cannot be started, such as in a bundle without the thread's file. */
export async function openLane(algorithm: string, stream: LaneStream): Promise<Lane | undefined> {
  const thread = await leastBusy()
  if (!thread) return undefined
  const { worker, streams } = thread
  const id = ++lastId
  if (streams.size === 0) worker.ref() // a digest under way keeps the process, an idle thread does not
  streams.set(id, stream)
  const lane: Lane = {
    post: (message, transfer = []) => worker.postMessage({ ...message, id }, transfer),
    leave() {
      streams.delete(id)
      if (streams.size === 0) worker.unref()
    },
  }
  lane.post({ kind: 'start', algorithm })
  return lane
}

async function leastBusy(): Promise<Thread | undefined> {
  const running = (await Promise.all(threads)).filter((thread) => thread !== undefined)
  const [best] = running.toSorted((a, b) => a.streams.size - b.streams.size)
  if (best && (best.streams.size === 0 || threads.length >= MOST_THREADS)) return best
  if (threads.length >= MOST_THREADS) return undefined
  const thread = startThread()
  threads = [...threads, thread]
  return thread
}

async function startThread(): Promise<Thread | undefined> {
  const streams = new Map<number, LaneStream>()
  let worker: Worker
  try {
    worker = newWorker() // throws where Node's permission model allows none
    worker.on('error', (error) => {
      threads = [] // the next digest starts anew
      for (const stream of streams.values()) stream.failed(error)
    })
    await once(worker, 'message')
  } catch {
    return undefined
  }
  worker.on('message', (answer: Numbered<LaneAnswer>) => {
    const stream = streams.get(answer.id)
    if ('hex' in answer) stream?.digested(answer.hex)
    else stream?.returned(answer.buffer)
  })
  worker.unref()
  return { worker, streams }
}

function newWorker(): Worker {
  const file = import.meta.url.endsWith('.ts') ? './thread.ts' : './hash-thread.js'
  return new Worker(new URL(file, import.meta.url), { execArgv: [], name: 'mullion digests' })
}
