import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import { bytesOf, countOf } from '../options.ts'

export interface StoreBenchOptions {
  readonly help: boolean
  /** Bytes of the object. */
  readonly size: number
  readonly rounds: number
  /** Substring of the names of the services to run. */
  readonly only: string | undefined
  readonly json: boolean
  /** A disk: where the file store and its peers write. */
  readonly dir: string
  /** Memory: where everything is sent from and fetched to. Needs twice the size. */
  readonly scratch: string
  /** Directory for CPU profiles of mullion. */
  readonly profile: string | undefined
}

export const USAGE = `usage: npm run bench:stores -- [options]

Moves one object into every service that is up and back, by mullion and by other programs for that service, each a
process of its own. Services: eval "$(bash test/services/NAME.sh up)"; what is missing is left out.

  --size N         bytes of the object, with K, M or G (default 1G, or MULLION_BENCH_SIZE)
  --rounds N       rounds; the order of the programs turns around with each (default 3)
  --only TEXT      only the services whose name contains TEXT
  --dir DIR        where the file store writes, a disk (default: the directory for temporary files)
  --scratch DIR    where objects come from and go to, memory (default /dev/shm); takes twice the size
  --cpu-prof DIR   writes CPU profiles of mullion to DIR, for the browser's developer tools
  --json           JSON with every round instead of a table
`

export function parseOptions(args: readonly string[], env: NodeJS.ProcessEnv): StoreBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      size: { type: 'string', default: env['MULLION_BENCH_SIZE'] ?? '1G' },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string' },
      dir: { type: 'string', default: tmpdir() },
      scratch: { type: 'string', default: '/dev/shm' },
      'cpu-prof': { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const { size, rounds, 'cpu-prof': profile, ...rest } = values
  return { ...rest, only: values.only, size: bytesOf(size), rounds: countOf('rounds', rounds), profile }
}
