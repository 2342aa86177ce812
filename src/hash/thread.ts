import { createHash, type Hash } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import type { LaneAnswer, LaneMessage, Numbered } from './lanes.ts'

const running = new Map<number, Hash>()

function answer(message: Numbered<LaneAnswer>, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer)
}

function take(message: Numbered<LaneMessage>): void {
  const { id } = message
  if (message.kind === 'start') return void running.set(id, createHash(message.algorithm))
  const hash = running.get(id)
  if (message.kind === 'bytes') {
    const { buffer, length } = message
    hash?.update(new Uint8Array(buffer, 0, length))
    return answer({ id, buffer }, [buffer])
  }
  running.delete(id)
  if (message.kind === 'end' && hash) answer({ id, hex: hash.digest('hex') })
}

parentPort?.on('message', take)
parentPort?.postMessage('ready')
