#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'
import { nodeProblem } from './server/node-version.ts'

// What a socket reads comes in buffers of 64 KiB that live until the next collection of young objects, which V8 puts off
// as its young generation grows: an upload of 2 GiB peaked at 203 MiB of memory, and at 110 MiB with a young generation
// that keeps its first size. V8 heeds this flag at any time; --max-semi-space-size only on the command line.
setFlagsFromString('--semi-space-growth-factor=1')

// Everything else is imported after the check: an old Node would fail inside a dependency instead, without a reason.
const problem = nodeProblem(process.versions.node)
if (problem === undefined) {
  const { run } = await import('./server/run.ts')
  process.exitCode = await run(process.argv.slice(2), process.env)
} else {
  process.stderr.write(`${problem}\n`)
  process.exitCode = 1
}
