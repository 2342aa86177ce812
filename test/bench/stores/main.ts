import { randomFillSync } from 'node:crypto'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { compare, type Record } from './compare.ts'
import { parseOptions, type StoreBenchOptions, USAGE } from './options.ts'
import { type Peers, peersOf } from './peers.ts'
import { table } from './report.ts'
import { SERVICES } from './services/index.ts'
import type { Service, Setup } from './service.ts'
import { MULLION, WITHOUT_DIGESTS } from './tools.ts'

/** What is measured gets the signal of a terminal too and ends; then what was made is removed. */
const interrupted = new AbortController()
process.on('SIGINT', () => interrupted.abort(new Error('interrupted')))

const options = parseOptions(process.argv.slice(2), process.env)
if (options.help) console.log(USAGE)
else await main(options)

async function main({ json, size, ...rest }: StoreBenchOptions): Promise<void> {
  const peers = peersOf(process.env['PATH'] ?? '')
  const records = await measureAll({ json, size, ...rest }, peers)
  if (json) {
    console.log(JSON.stringify({ node: process.version, size, leftOut: [...peers.leftOut], records }, null, 2))
    return
  }
  console.log(table(records, size))
  console.log('\nmedians of the rounds; ÷ is the speed of mullion to that of the program in the same round')
  for (const line of peers.leftOut) console.log(`left out: ${line}`)
}

async function measureAll(
  { size, rounds, only, dir, scratch: memory, profile }: StoreBenchOptions,
  peers: Peers,
): Promise<readonly Record[]> {
  const services = SERVICES.filter(({ name }) => only === undefined || name.includes(only))
  if (services.length === 0) throw new Error(`--only: no service has ${only} in its name`)
  if ((await peers.find('time')).length === 0) throw new Error('needs time(1): on Debian the package time')
  const scratch = await mkdtemp(join(memory, 'mullion-bench-'))
  try {
    const sample = join(scratch, 'sample')
    await writeRandom(sample, size)
    const flags = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
    const records: Record[] = []
    for (const service of services) {
      const settings = settingsOf(service, peers)
      if (!settings) continue
      process.stderr.write(`${service.name} …\n`)
      const setup: Setup = { settings, size, sample, dir, peers, flags }
      records.push(...(await measureOne(service, setup, { rounds, scratch })))
    }
    return records
  } finally {
    await rm(scratch, { recursive: true })
  }
}

async function measureOne(
  { name, open: openService }: Service,
  setup: Setup,
  { rounds, scratch }: { readonly rounds: number; readonly scratch: string },
): Promise<readonly Record[]> {
  const { peers, sample } = setup
  return compare(await openService(setup), {
    service: name,
    rounds,
    sample,
    scratch,
    signal: interrupted.signal,
    failed(tool, { message }) {
      peers.leaveOut(`${tool} with ${name}`, message)
      if (tool === MULLION || tool === WITHOUT_DIGESTS) process.exitCode = 1
    },
  })
}

function settingsOf({ name, env, script }: Service, { leaveOut }: Peers): Setup['settings'] | undefined {
  const missing = env.filter((key) => !process.env[key])
  if (missing.length === 0) return Object.fromEntries(env.map((key) => [key, process.env[key] ?? '']))
  leaveOut(name, `${missing.join(', ')} not set; run: eval "$(bash test/services/${script} up)"`)
  return undefined
}

/** Nothing that compresses or is a hole. */
async function writeRandom(path: string, size: number): Promise<void> {
  await using file = await open(path, 'wx')
  const block = Buffer.alloc(Math.min(size, 64 * 1024 ** 2))
  for (let left = size; left > 0; left -= block.byteLength) {
    await file.write(randomFillSync(block).subarray(0, left))
  }
}
