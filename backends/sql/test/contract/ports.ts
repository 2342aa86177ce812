import assert from 'node:assert/strict'
import { type ErrorCode, isMullionError } from 'mullion'
import type { Image, ImageQuery, ImageRegistry, MemberRegistry, TaskQueue } from 'mullion/images'

/** Long beside what a case takes, so that a lease ends by the clock alone. */
export const LEASE_MS = 600_000

/** Stands still but for what a case adds. */
export interface Clock {
  now(): Date
  advance(ms: number): void
}

export function createClock(): Clock {
  let time = Date.now()
  return {
    now: () => new Date(time),
    advance: (ms) => {
      time += ms
    },
  }
}

export interface RegistryPorts {
  readonly images: ImageRegistry
  readonly members: MemberRegistry
  readonly tasks: TaskQueue
}

export interface RegistryCase {
  readonly title: string
  run(ports: RegistryPorts & { readonly clock: Clock }): Promise<void>
}

export const IDS: readonly [string, string, string, string] = [
  '11111111-aaaa-4aaa-8aaa-000000000001',
  '22222222-bbbb-4bbb-8bbb-000000000002',
  '33333333-cccc-4ccc-8ccc-000000000003',
  '44444444-dddd-4ddd-8ddd-000000000004',
]

/** A private active image without data, created at a fixed time. */
export function image(changes: Partial<Image> = {}): Image {
  const at = new Date('2016-11-22T08:23:58.800Z')
  return {
    id: IDS[0],
    name: undefined,
    status: 'active',
    writer: undefined,
    reason: undefined,
    visibility: 'private',
    owner: undefined,
    size: undefined,
    virtualSize: undefined,
    checksum: undefined,
    hashAlgorithm: undefined,
    hashValue: undefined,
    diskFormat: undefined,
    containerFormat: undefined,
    minDisk: 0,
    minRam: 0,
    protected: false,
    properties: new Map(),
    tags: [],
    locations: [],
    createdAt: at,
    updatedAt: at,
    deletedAt: undefined,
    ...changes,
  }
}

/** Everything, newest first. */
export function everything(changes: Partial<ImageQuery> = {}): ImageQuery {
  return {
    scope: { kind: 'all' },
    filters: {},
    includeDeleted: false,
    sortKey: 'createdAt',
    sortDirection: 'desc',
    limit: 100,
    ...changes,
  }
}

export async function idsOf(listed: Promise<readonly Image[]>): Promise<readonly string[]> {
  return (await listed).map(({ id }) => id)
}

export async function rejects(call: Promise<unknown>, code: ErrorCode, details?: object): Promise<void> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error === undefined) assert.fail(`expected ${code}, but the call succeeded`)
  if (!isMullionError(error, code)) throw error
  if (details) assert.deepEqual(error.details, details)
}
