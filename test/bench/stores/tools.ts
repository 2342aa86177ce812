import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Command } from './measure.ts'
import type { OpendalJob } from './opendal.ts'
import type { Setup, Tool } from './service.ts'
import type { Job } from './transfer.ts'

const run = promisify(execFile)
const TRANSFER = join(import.meta.dirname, 'transfer.ts')
const OPENDAL = join(import.meta.dirname, 'opendal.ts')

/** mullion from its built packages; twice, because its digests are more than other programs compute. */
export function mullion(
  { flags }: Setup,
  plugin: Job['plugin'],
  configOf: (place: string) => Readonly<Record<string, unknown>>,
): readonly Tool[] {
  const command = (place: string, job: Omit<Job, 'plugin' | 'config'>): Command => ({
    program: process.execPath,
    args: [...flags, TRANSFER],
    input: JSON.stringify({ plugin, config: configOf(place), ...job } satisfies Job),
  })
  return [
    {
      name: MULLION,
      start: ({ place, file }) => command(place, { file }),
      add: ({ place, key, file }) => command(place, { key, file }),
      get: ({ place, file, added }) => command(place, { location: added, file }),
    },
    { name: WITHOUT_DIGESTS, add: ({ place, key, file }) => command(place, { key, file, hashes: [] }) },
  ]
}

export const MULLION = 'mullion'
export const WITHOUT_DIGESTS = 'mullion, no digests'

/** rclone with a remote that only the environment knows; `config` has its keys as rclone's documentation names them. */
export async function rclone({ peers }: Setup, config: Readonly<Record<string, string>>): Promise<readonly Tool[]> {
  const env = {
    RCLONE_CONFIG: '/dev/null',
    ...Object.fromEntries(
      Object.entries(config).map(([key, value]) => [`RCLONE_CONFIG_BENCH_${key.toUpperCase()}`, value]),
    ),
  }
  return (await peers.find('rclone', ['rclone', 'version'])).map(({ path, label }) => {
    const copy = (from: string, to: string): Command => ({
      program: path,
      args: ['copyto', '--retries', '1', '--ignore-times', from, to],
      env,
    })
    return {
      name: label,
      add: ({ place, key, file }) => copy(file, `bench:${place}/${key}`),
      get: ({ place, key, file }) => copy(`bench:${place}/${key}`, file),
    }
  })
}

/** Apache OpenDAL's binding for Node, with as many bytes in flight as mullion has by default: 4 times 8 MiB. */
export async function opendal(
  { peers }: Setup,
  service: string,
  optionsOf: (place: string) => Readonly<Record<string, string>>,
): Promise<readonly Tool[]> {
  try {
    await run(process.execPath, [OPENDAL, service], { timeout: 30_000 })
  } catch (error) {
    const { message } = error as Error
    peers.leaveOut(
      `opendal ${service}`,
      (/^\s*Error: .*GLIBC.*$/m.exec(message) ?? /^\W*Error: .*$/m.exec(message))?.[0] ?? message,
    )
    return []
  }
  const command = (place: string, job: Omit<OpendalJob, 'service' | 'options'>): Command => ({
    program: process.execPath,
    args: [OPENDAL],
    input: JSON.stringify({ service, options: optionsOf(place), ...job } satisfies OpendalJob),
  })
  return [
    {
      name: 'opendal',
      add: ({ place, key, file }) => command(place, { verb: 'add', key, file }),
      get: ({ place, key, file }) => command(place, { verb: 'get', key, file }),
    },
  ]
}
