import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, realpath } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Program {
  readonly path: string
  /** Such as `rclone 1.60.1`. */
  readonly label: string
}

/** The programs of this machine that mullion is compared with. */
export interface Peers {
  /** All of that name on the PATH, none counted twice. `version` is the command line that prints it. */
  find(name: string, version?: readonly [string, ...string[]]): Promise<readonly Program[]>
  /** Says that something cannot be compared, once. */
  leaveOut(what: string, why: string): void
  /** What was left out, a line each. */
  readonly leftOut: ReadonlySet<string>
}

export function peersOf(path: string): Peers {
  const leftOut = new Set<string>()
  const leaveOut = (what: string, why: string): void => void leftOut.add(`${what}: ${why.trim()}`)
  return {
    leftOut,
    leaveOut,
    async find(name, version) {
      const programs: Program[] = []
      for (const file of await filesNamed(name, path)) {
        const [program, ...args] = version ?? [file, '--version']
        try {
          const { stdout, stderr } = await run(program, args)
          const number = /\d+(?:\.\d+)+(?:p\d+)?/.exec(stdout + stderr)?.[0] ?? 'of unknown version'
          programs.push({ path: file, label: `${name} ${number}` })
        } catch (error) {
          leaveOut(file, `does not run: ${String(error).split('\n')[0]}`)
        }
      }
      if (programs.length === 0) leaveOut(name, 'not on the PATH')
      return programs
    },
  }
}

async function filesNamed(name: string, path: string): Promise<readonly string[]> {
  const files = new Map<string, string>()
  for (const directory of path.split(delimiter)) {
    const file = join(directory, name)
    try {
      await access(file, constants.X_OK)
      const real = await realpath(file)
      if (!files.has(real)) files.set(real, file)
    } catch {
      // not here
    }
  }
  return [...files.values()]
}
