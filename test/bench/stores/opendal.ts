import { createReadStream, createWriteStream } from 'node:fs'
import { json } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { Operator } from 'opendal'

/** The program that is measured as OpenDAL. With the name of a service as argument it only tells whether that is there. */
export interface OpendalJob {
  readonly service: string
  readonly options: Readonly<Record<string, string>>
  readonly verb: 'add' | 'get'
  readonly key: string
  readonly file: string
}

const MEBIBYTE = { highWaterMark: 1024 ** 2 }
const CHUNK = 8 * 1024 ** 2
const IN_FLIGHT = { chunk: CHUNK, concurrent: 4 }

const [probed] = process.argv.slice(2)
await (probed === undefined ? transfer() : probe(probed))

async function transfer(): Promise<void> {
  const { service, options, verb, key, file } = (await json(process.stdin)) as OpendalJob
  const operator = new Operator(service, { ...options })
  if (verb === 'add') {
    const { write, writeCanMulti } = operator.capability()
    if (!write || !writeCanMulti) throw new Error(`opendal ${service} cannot write in parts`)
    const writer = await operator.writer(key, { chunk: BigInt(CHUNK), concurrent: IN_FLIGHT.concurrent })
    for await (const chunk of createReadStream(file, MEBIBYTE)) await writer.write(chunk as Buffer)
    await writer.close()
  } else {
    const reader = await operator.reader(key, IN_FLIGHT)
    await pipeline(reader.createReadStream(MEBIBYTE), createWriteStream(file, MEBIBYTE))
  }
}

function probe(service: string): void {
  try {
    Reflect.construct(Operator, [service, {}])
  } catch (error) {
    if (/not enabled/.test(String(error))) throw error // every other complaint is about the options
  }
}
