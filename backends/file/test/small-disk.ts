import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A tmpfs. It must be unmounted. */
export interface SmallDisk {
  readonly dir: string
  /** As in `mount -o remount,…`. */
  readonly remount: (options: string) => void
  readonly unmount: () => void
}

/** Undefined when this process may mount. Otherwise the reason it may not, which is said aloud, or thrown with CI=true. */
export const cannotMount: string | undefined = refusal()

export function mountSmallDisk(kib: number): SmallDisk {
  const dir = mkdtempSync(join(tmpdir(), 'mullion-file-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', dir], { stdio: 'pipe' })
  } catch (error) {
    rmdirSync(dir)
    throw error
  }
  return {
    dir,
    remount: (options) => void execFileSync('mount', ['-o', `remount,${options}`, dir]),
    unmount: () => {
      execFileSync('umount', [dir])
      rmdirSync(dir)
    },
  }
}

function refusal(): string | undefined {
  try {
    mountSmallDisk(64).unmount()
    return undefined
  } catch (error) {
    const reason = `no tests of full and read-only disks: ${String(error).split('\n')[0]}; run them as root of a machine or of a container with CAP_SYS_ADMIN`
    if (process.env['CI'] === 'true') throw new Error(reason, { cause: error })
    console.warn(`skipped: ${reason}`)
    return reason
  }
}
