import { MullionError } from 'mullion'
import { configSchema, type DirectorySetting, type FileConfig } from './config.ts'
import { type Disk, realDisk } from './disk.ts'
import { errnoOf } from './errors.ts'

export interface DirectorySpace {
  readonly path: string
  /** Bytes this process may still write, as far as the file system tells; quotas may be tighter. */
  readonly free: number
  /** Bytes of the whole file system. */
  readonly total: number
}

/** Part of a file system set aside for one write. */
export interface Reservation {
  /** So many bytes are on the disk now, where the file system counts them itself. */
  landed(bytes: number): void
  /** Gives back what is left. */
  release(): void
}

/** The space of each directory of a configuration, in its order. Rejects `invalid_config`, or as `statfs` does. */
export async function freeSpace(config: FileConfig): Promise<readonly DirectorySpace[]> {
  const parsed = configSchema.safeParse(config)
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => [...path.map(String), message].join(': '))
    throw new MullionError('invalid_config', `file store: ${issues.join('; ')}`, {
      details: { plugin: 'file', issues },
    })
  }
  return Promise.all(parsed.data.directories.map(({ path }) => spaceOf(realDisk, path)))
}

/**
 * The directory a write goes to: of the greatest weight that has one with room, that with most free bytes. Concurrent
 * writes of this process do not count on the same bytes. An unknown size needs one byte. Rejects `storage_full`.
 */
export async function place(
  disk: Disk,
  directories: readonly DirectorySetting[],
  size: number | undefined,
): Promise<{ readonly directory: string; readonly reservation: Reservation }> {
  const found = await Promise.allSettled(directories.map((directory) => candidate(disk, directory)))
  const ledger = ledgerOf(disk)
  // from here on nothing waits, so that no other write can reserve between the choice and its record
  const [best] = found
    .flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    .map((each) => ({ ...each, free: each.free - (ledger.get(each.device) ?? 0) }))
    .filter(({ free }) => free >= (size ?? 1))
    .toSorted((a, b) => b.weight - a.weight || b.free - a.free)
  if (best) return { directory: best.path, reservation: reserve(ledger, best.device, size ?? 0) }
  const failed = found.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
  throw new MullionError('storage_full', `file store: no directory has ${size ?? 1} bytes free`, { details: {} })
}

async function candidate(disk: Disk, { path, weight }: DirectorySetting): Promise<DirectorySpace & Candidate> {
  try {
    const [space, { dev }] = await Promise.all([spaceOf(disk, path), disk.stat(path)])
    return { ...space, weight, device: dev }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    throw new MullionError('unavailable', `file store: directory ${path} is gone`, { details: {}, cause: error })
  }
}

interface Candidate {
  readonly weight: number
  readonly device: number
}

async function spaceOf(disk: Disk, path: string): Promise<DirectorySpace> {
  const { bavail, blocks, bsize, frsize } = await disk.statfs(path)
  const unit = frsize || bsize // statvfs(3) counts in fragments; they differ on FUSE, and older Node has only bsize
  return { path, free: bavail * unit, total: blocks * unit }
}

/** Bytes reserved by device number: two stores of one process may share a disk. */
const LEDGERS = new WeakMap<Disk, Map<number, number>>()

function ledgerOf(disk: Disk): Map<number, number> {
  const ledger = LEDGERS.get(disk) ?? new Map<number, number>()
  LEDGERS.set(disk, ledger)
  return ledger
}

function reserve(ledger: Map<number, number>, device: number, size: number): Reservation {
  let left = 0
  const change = (bytes: number): void => {
    left += bytes
    ledger.set(device, (ledger.get(device) ?? 0) + bytes)
  }
  change(size)
  return { landed: (bytes) => change(-Math.min(bytes, left)), release: () => change(-left) }
}
