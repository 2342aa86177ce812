import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openRegistry, type SqlConfig } from '@mullion/sql'
import type { ImageRegistry } from 'mullion/images'
import { mysqlDatabase, postgresDatabase } from '../../../backends/sql/test/databases.ts'
import { fillWithImages, middleImage } from '../../../backends/sql/test/many.ts'
import { aligned } from '../table.ts'
import { CASES, type ListCase } from './cases.ts'

const USAGE = `usage: npm run bench:lists -- [options]

  --dialect NAME   sqlite, postgres (POSTGRES_URL) or mysql (MYSQL_URL); default sqlite
  --images N       images of the large database, at most 1000000 (default); the small one has 1000
  --rounds N       measured lists of each case, of which the median counts (default 15)
  --only TEXT      only the cases whose name contains TEXT
  --json           JSON instead of a table

Each database is made, filled, and removed afterwards.
`

const SMALL = 1000

const WARM_UP = 5

interface Result {
  readonly name: string
  readonly smallMs: number
  readonly largeMs: number
  readonly ratio: number
}

interface Filled {
  /** From the middle by time; by other keys as chance has it. */
  readonly marker: string
  readonly images: ImageRegistry
  remove(): Promise<void>
}

interface Place {
  readonly config: SqlConfig
  remove(): Promise<void>
}

const { values: options } = parseArgs({
  options: {
    dialect: { type: 'string', default: 'sqlite' },
    images: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '15' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) console.log(USAGE)
else await main()

async function main(): Promise<void> {
  const cases = CASES.filter(({ name }) => name.includes(options.only))
  const small = await filled(SMALL)
  const large = await filled(Number(options.images))
  const results: Result[] = []
  try {
    for (const one of cases) results.push(await measure(one, small, large))
  } finally {
    await Promise.all([small.remove(), large.remove()])
  }
  if (options.json) {
    console.log(JSON.stringify({ dialect: options.dialect, images: Number(options.images), results }, null, 2))
    return
  }
  const head = ['case', `${SMALL} images`, `${options.images} images`, 'ratio']
  const rows = results.map(({ name, smallMs, largeMs, ratio }) => [
    name,
    `${smallMs.toFixed(2)} ms`,
    `${largeMs.toFixed(2)} ms`,
    ratio.toFixed(2),
  ])
  console.log(aligned([head, ...rows]))
}

/** A database with so many images, and its registry. */
async function filled(count: number): Promise<Filled> {
  const { config, remove } = await place()
  try {
    const begin = performance.now()
    await fillWithImages(config, count)
    process.stderr.write(`${count} images made in ${((performance.now() - begin) / 1000).toFixed(1)} s\n`)
    const registry = await openRegistry(config)
    const removeAll = async (): Promise<void> => {
      await registry.close()
      await remove()
    }
    return { marker: middleImage(count), images: registry.images, remove: removeAll }
  } catch (error) {
    await remove()
    throw error
  }
}

/** Both by turns, so that what else the machine does falls on both. */
async function measure(one: ListCase, small: Filled, large: Filled): Promise<Result> {
  const times: { readonly smallMs: number; readonly largeMs: number }[] = []
  const rounds = Number(options.rounds)
  for (let round = -WARM_UP; round < rounds; round += 1) {
    const time = { smallMs: await list(one, small), largeMs: await list(one, large) }
    if (round >= 0) times.push(time)
  }
  const smallMs = median(times.map((time) => time.smallMs))
  const largeMs = median(times.map((time) => time.largeMs))
  return { name: one.name, smallMs, largeMs, ratio: largeMs / smallMs }
}

async function list({ query, middle }: ListCase, { images, marker: id }: Filled): Promise<number> {
  const marker = middle ? { marker: id } : {}
  const begin = performance.now()
  await images.list({ ...query, ...marker })
  return performance.now() - begin
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

async function place(): Promise<Place> {
  if (options.dialect === 'postgres') return onServer('POSTGRES_URL', 'postgres.sh', postgresDatabase)
  if (options.dialect === 'mysql') return onServer('MYSQL_URL', 'mariadb.sh', mysqlDatabase)
  if (options.dialect !== 'sqlite') throw new Error(`--dialect: expected sqlite, postgres or mysql\n\n${USAGE}`)
  const directory = await mkdtemp(join(tmpdir(), 'mullion-lists-'))
  return {
    config: { file: join(directory, 'registry.db') },
    remove: () => rm(directory, { recursive: true, force: true }),
  }
}

async function onServer(name: string, script: string, make: typeof postgresDatabase): Promise<Place> {
  const url = process.env[name]
  if (url === undefined) throw new Error(`${name} is not set; run: eval "$(bash test/services/${script} up)"`)
  const { config, drop } = await make(url)
  return { config, remove: drop }
}
