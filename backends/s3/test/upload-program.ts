import { randomBytes } from 'node:crypto'
import { createStores } from 'mullion'
import { s3, type S3Config } from '../src/index.ts'

/** Adds so many bytes without announcing them, and prints what it took: `node upload-program.ts CONFIG KEY BYTES`. */
const [config = '', key = '', bytes = ''] = process.argv.slice(2)
const CHUNK = 64 * 1024
const pattern = randomBytes(CHUNK)

async function* source(size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < size; at += CHUNK) yield Uint8Array.from(pattern.subarray(0, Math.min(CHUNK, size - at)))
}

await using stores = await createStores({ stores: { s3: s3(JSON.parse(config) as S3Config) }, default: 's3' })
const begin = performance.now()
const { size } = await stores.add(key, source(Number(bytes)), { hashes: [] })
const seconds = (performance.now() - begin) / 1000
const { maxRSS, userCPUTime } = process.resourceUsage()
process.stdout.write(JSON.stringify({ size, seconds, maxRss: maxRSS * 1024, cpuSeconds: userCPUTime / 1e6 }))
