#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'
import { nodeProblem } from './server/node-version.ts'

// As in main.ts: what a socket reads lives until the next collection of young objects.
setFlagsFromString('--semi-space-growth-factor=1')

// Everything else is imported after the check: an old Node would fail inside a dependency instead, without a reason.
const problem = nodeProblem(process.versions.node)
if (problem === undefined) {
  const { main } = await import('./cli/program.ts')
  process.exitCode = await main(process.argv.slice(2), process.env, process)
} else {
  process.stderr.write(`${problem}\n`)
  process.exitCode = 1
}
