import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'

export interface BenchOptions {
  readonly help: boolean
  /** Bytes of the big image. */
  readonly size: number
  readonly records: number
  readonly rounds: number
  /** Substring of the names of the cases to run. */
  readonly only: string | undefined
  readonly memory: boolean
  readonly json: boolean
  /** Where the data goes while it runs: both sides use the same disk. */
  readonly dir: string
  /** Directory for CPU profiles of the image server. */
  readonly profile: string | undefined
}

export const USAGE = `usage: npm run bench -- [options]

  --size N         bytes of the big image, with K, M or G (default 1G, or MULLION_BENCH_SIZE)
  --records N      images in the registry for show and list (default 10000)
  --rounds N       measured rounds, of which the median counts (default 3)
  --only TEXT      only the cases whose name contains TEXT
  --memory         peak memory of 8 GiB up and down, and of 16 uploads at once, instead of the usual cases
  --dir DIR        where the data goes (default: the directory for temporary files); removed afterwards
  --cpu-prof DIR   writes a CPU profile of the image server to DIR, for the browser's developer tools
  --json           JSON instead of a table
`

export function parseOptions(args: readonly string[], env: NodeJS.ProcessEnv): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      size: { type: 'string', default: env['MULLION_BENCH_SIZE'] ?? '1G' },
      records: { type: 'string', default: '10000' },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string' },
      memory: { type: 'boolean', default: false },
      dir: { type: 'string', default: tmpdir() },
      'cpu-prof': { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  return {
    help: values.help,
    size: bytesOf(values.size),
    records: countOf('records', values.records),
    rounds: countOf('rounds', values.rounds),
    only: values.only,
    memory: values.memory,
    json: values.json,
    dir: values.dir,
    profile: values['cpu-prof'],
  }
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

export function bytesOf(text: string): number {
  const [, digits, unit = ''] = /^(\d+)([KMG]?)$/.exec(text) ?? []
  if (digits === undefined || Number(digits) === 0) throw new Error(`--size: expected a size such as 256M, got ${text}`)
  return Number(digits) * (UNITS[unit] ?? 1)
}

export function countOf(name: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${name}: expected a positive number, got ${text}`)
  return Number(text)
}
