import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bench, CASES, MEMORY_CASES } from './cases.ts'
import { closeConnections } from './client.ts'
import { imagesAt } from './images.ts'
import { type BenchOptions, parseOptions, USAGE } from './options.ts'
import { type Result, runCase } from './run.ts'
import { startBuiltServer, startFloor } from './server-process.ts'
import { table } from './table.ts'

const MAIN = join(import.meta.dirname, '../../examples/image-server/dist/main.js')
const options = parseOptions(process.argv.slice(2), process.env)
if (options.help) console.log(USAGE)
else await main(options)

async function main({ json, profile, ...rest }: BenchOptions): Promise<void> {
  const results = await measure({ json, profile, ...rest })
  const digests = digestRate(256 * 1024 ** 2)
  if (json) {
    console.log(
      JSON.stringify({ node: process.version, size: rest.size, records: rest.records, digests, results }, null, 2),
    )
    return
  }
  console.log(table(results))
  console.log(`\nmd5 and sha512 of the same bytes, one core: ${(digests / 1024 ** 2).toFixed(0)} MiB/s`)
  console.log(profile === undefined ? 'for a CPU profile: --only CASE --cpu-prof DIR' : `CPU profile in ${profile}`)
}

async function measure({
  size,
  records,
  rounds,
  only,
  memory,
  dir,
  profile,
}: BenchOptions): Promise<readonly Result[]> {
  const scratch = await mkdtemp(join(dir, 'mullion-bench-'))
  await mkdir(join(scratch, 'floor'))
  try {
    const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
    await using server = await startBuiltServer(MAIN, { dataDir: join(scratch, 'mullion'), flags })
    await using floor = await startFloor({ dataDir: join(scratch, 'floor') })
    const bench: Bench = { images: imagesAt(server.url), floor: floor.url, size, records }
    const pids = { mullion: server.pid, floor: floor.pid }
    const cases = (memory ? MEMORY_CASES : CASES).filter(({ name }) => only === undefined || name.includes(only))
    if (cases.length === 0) throw new Error(`--only: no case has ${only} in its name`)
    const results: Result[] = []
    let populated = false
    for (const benchCase of cases) {
      if (benchCase.populated && !populated) await populate(bench)
      populated ||= benchCase.populated === true || benchCase.name === 'create'
      results.push(await runCase(benchCase, bench, rounds, pids))
    }
    closeConnections()
    return results
  } finally {
    await rm(scratch, { recursive: true })
  }
}

async function populate({ images, records }: Bench): Promise<void> {
  for (let index = 0; index < records; index += 1) await images.reserve(`image-${index}`)
}

/** Bytes a second through both digests: what an upload cannot beat on one core. */
function digestRate(size: number): number {
  const chunk = randomBytes(1024 ** 2)
  const digests = [createHash('md5'), createHash('sha512')]
  const begin = performance.now()
  for (let done = 0; done < size; done += chunk.byteLength) {
    for (const digest of digests) digest.update(chunk)
  }
  return (size * 1000) / (performance.now() - begin)
}
