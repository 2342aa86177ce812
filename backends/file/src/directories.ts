import { constants } from 'node:fs'
import { dirname } from 'node:path'
import { MullionError } from 'mullion'
import type { DirectorySetting } from './config.ts'
import { type Disk, syncDirectory } from './disk.ts'
import { classify, errnoOf } from './errors.ts'

/** Creates what is missing. Rejects, naming the directory, when one cannot be used or two of them are the same. */
export async function prepareDirectories(
  disk: Disk,
  directories: readonly DirectorySetting[],
  store: string,
): Promise<void> {
  const seen = new Map<string, string>()
  for (const { path } of directories) {
    const real = await prepared(disk, path, store)
    const other = seen.get(real)
    if (other !== undefined) throw invalid(store, `directory ${path} is the same as ${other}`)
    seen.set(real, path)
  }
}

async function prepared(disk: Disk, path: string, store: string): Promise<string> {
  try {
    await create(disk, path)
    await disk.access(path, constants.R_OK | constants.W_OK | constants.X_OK)
    return await disk.realpath(path)
  } catch (error) {
    const code = errnoOf(error)
    if (code === 'EEXIST' || code === 'ENOTDIR') throw invalid(store, `${path} is not a directory`, error)
    throw unusable(store, path, error)
  }
}

/** `mkdir -p` that survives a power failure. */
async function create(disk: Disk, path: string): Promise<void> {
  const first = await disk.mkdir(path, { recursive: true })
  if (first === undefined) return
  for (let created = path; created.length >= first.length; created = dirname(created)) {
    await syncDirectory(disk, dirname(created))
  }
}

function unusable(store: string, path: string, cause: unknown): MullionError {
  const message = `${store}: file store: cannot write to directory ${path}: ${errnoOf(cause) ?? String(cause)}`
  const code = classify(cause)
  if (code === 'permission_denied' || code === 'storage_full' || code === 'unavailable') {
    return new MullionError(code, message, { details: {}, cause })
  }
  return new MullionError('internal', message, { details: {}, cause })
}

function invalid(store: string, issue: string, cause?: unknown): MullionError<'invalid_config'> {
  return new MullionError('invalid_config', `${store}: file store: ${issue}`, {
    details: { plugin: 'file', issues: [issue] },
    cause,
  })
}
