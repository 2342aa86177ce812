import { endUpload, memoryTasks, type Ports } from 'mullion/images'
import { seededBytes } from 'mullion/testkit'
import { vi } from 'vitest'
import { gate, tiny, type Tiny } from '../tiny-store.ts'
import { type Scene, scene } from './scene.ts'

export const content: Uint8Array = seededBytes(21, 500)
export const log = (): void => {}
export const LEASE_MS = 60_000

export interface Cluster {
  readonly set: Scene
  readonly near: Tiny
  readonly far: Tiny
  readonly other: Ports
}

/** Two processes on the same records and the same store; time stands still until it is moved. */
export async function cluster(): Promise<Cluster> {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date'] })
  const near = tiny()
  const far = tiny({ scheme: 'http' })
  far.objects.set('x', content)
  const set = await scene({ near: near.spec, far: far.spec }, { tasks: memoryTasks({ leaseMs: LEASE_MS }) })
  const other: Ports = { ...set.ports, worker: 'other' }
  return { set, near, far, other }
}

export interface Halting {
  readonly body: () => AsyncGenerator<Uint8Array>
  readonly begun: Promise<void>
  readonly goOn: () => void
  /** Resolves with `goOn`. */
  readonly awake: Promise<void>
}

/** A body of which the second half comes when the gate opens. */
export function halting(): Halting {
  const begun = gate()
  const goOn = gate()
  const body = async function* (): AsyncGenerator<Uint8Array> {
    yield content.subarray(0, 100)
    begun.open()
    await goOn.opened
    yield content.subarray(100)
  }
  return { body, begun: begun.opened, goOn: goOn.open, awake: goOn.opened }
}

/** What a frozen process looks like from outside: the queue hears nothing of it until it wakes up. */
export function frozen(ports: Ports, awake: Promise<void> = new Promise(() => {})): Ports {
  return { ...ports, tasks: { ...ports.tasks, renew: (claim) => awake.then(() => ports.tasks.renew(claim)) } }
}

export async function takeOverUpload(ports: Ports): Promise<void> {
  const claim = await ports.tasks.claim(ports.worker, 'upload')
  if (!claim) throw new Error('no upload to take over')
  await endUpload(ports, claim, log)
}
