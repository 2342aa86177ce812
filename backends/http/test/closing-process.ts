/** A process that leaves requests and bodies in every state, closes the store, and then has no reason to stay. */
import { http } from '../src/index.ts'
import { httpLocation } from '../src/location.ts'
import { env, never } from './web.ts'

const [silent = '', half = ''] = process.argv.slice(2)
const spec = http({ allow: ['127.0.0.1'] })
const at = (uri: string) => httpLocation.parse(uri)
const store = await spec.open(env)
const whole = { offset: 0, length: undefined, signal: never }
const waiting = store.stat(at(silent), { signal: never }).catch((error: Error) => error.message)
const unread = await store.read(at(half), whole)
const begun = await store.read(at(half), whole)
const iterator = begun.body[Symbol.asyncIterator]()
await iterator.next()
await store.stat(at(half), { signal: never })
await store.close()
process.stdout.write(JSON.stringify({ waiting: await waiting, size: unread.size }))
