// A proxy of fault-proxy.mjs in a process of its own, so that its sockets are not among those of the process under test.
//   fork(…, [TARGET_PORT]); it says { port }, then answers { id, verb, argument } with { id, answer }
import { faultProxy } from './fault-proxy.mjs'

const proxy = await faultProxy({ target: Number(process.argv[2]) })
const answers = {
  set: (rules) => proxy.set(rules),
  cut: (how) => proxy.cut(how),
  stats: () => proxy.stats,
}
process.on('message', ({ id, verb, argument }) => process.send({ id, answer: answers[verb](argument) }))
process.on('disconnect', () => process.exit())
process.send({ port: proxy.port })
